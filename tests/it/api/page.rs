//! The page in a real browser. The scenarios are in `tests/page/test_page.py`; here they are run.

use std::process::Command;

use crate::support::{PROGRAM, project};

#[test]
fn the_page_works_in_a_browser() {
    let python = project("target/browser-tools/bin/python");
    assert!(python.exists(), "run fixtures/install-tools first");
    let output = Command::new(python)
        .arg(project("tests/page/test_page.py"))
        .env("RELEXPORT", PROGRAM)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    // A run that found no scenario is no success.
    assert!(stderr.contains("\nRan "), "{stderr}");
    assert!(!stderr.contains("\nRan 0 "), "{stderr}");
}

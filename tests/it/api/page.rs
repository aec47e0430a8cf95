//! The page in a real browser. The scenarios are in `tests/page/test_page.py`; here they are run.

use std::path::Path;
use std::process::Command;

#[test]
fn the_page_works_in_a_browser() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = project.join("target/browser-tools/bin/python");
    assert!(python.exists(), "run fixtures/install-tools first");
    let output = Command::new(python)
        .arg(project.join("tests/page/test_page.py"))
        .env("RELEXPORT", env!("CARGO_BIN_EXE_relexport"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    // A run that found no scenario is no success.
    assert!(stderr.contains("\nRan "), "{stderr}");
    assert!(!stderr.contains("\nRan 0 "), "{stderr}");
}

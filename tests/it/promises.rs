//! docs/promises.md names a test behind each promise: they are there, and no promise is without one.

use std::fs;

use crate::support::project;

#[test]
fn every_promise_has_tests_and_each_of_them_is_there() {
    let text = fs::read_to_string(project("docs/promises.md")).unwrap();
    let promises: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise "))
        .collect();
    assert!(
        promises.len() > 30,
        "{} promises were found",
        promises.len()
    );
    let mut wrong = Vec::new();
    for promise in promises {
        let shown_by = promise.trim_end_matches('|').rsplit(" | ").next().unwrap();
        let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            wrong.push(format!("no test: {promise}"));
        }
        let missing = tests.iter().filter(|test| !is_there(test));
        wrong.extend(missing.map(|test| format!("no such test: {test}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A test is named by its module and its function, as cargo names it.
fn is_there(test: &str) -> bool {
    let (folder, test) = match test.strip_prefix("unit:") {
        Some(test) => ("src", test),
        None => ("tests/it", test),
    };
    let Some((module, function)) = test.rsplit_once("::") else {
        return false;
    };
    let path = module.replace("::", "/");
    let inside = path.strip_suffix("/tests").unwrap_or(&path);
    [path.as_str(), inside].iter().any(|path| {
        let file = project(&format!("{folder}/{path}.rs"));
        fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {function}()")))
    })
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_there("promises::a_test_that_is_not_there_is_noticed"));
    assert!(is_there(
        "unit:temp_folder::tests::a_folder_that_is_not_there_is_named"
    ));
    for none in [
        "promises::nothing",
        "nowhere::nothing",
        "nothing",
        "unit:promises::nothing",
    ] {
        assert!(!is_there(none), "{none}");
    }
}

//! Does every test that `docs/faults.md` names exist? A table of promises whose tests are gone is
//! worse than none.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Functions and file names of the Rust sources below a folder, and names of FIX definitions.
fn collect(folder: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "def") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let functions = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
            names.extend(functions.map(str::to_owned));
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
}

#[test]
fn every_test_that_the_docs_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("docs/faults.md")).expect("the page");
    let mut known = HashSet::new();
    for part in ["feed", "risk", "engine", "journal", "gateway", "replay", ""] {
        for folder in ["src", "tests"].map(|kind| root.join(part).join(kind)) {
            if folder.is_dir() {
                collect(&folder, &mut known);
            }
        }
    }
    collect(&root.join("fuzz/src"), &mut known);
    let mut checked = 0;
    for quoted in docs.split('`').skip(1).step_by(2) {
        let words = quoted.split([':', ' ', '/', '.']).filter(|word| !word.is_empty());
        for word in words.filter(|word| word.matches('_').count() >= 3) {
            if word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                assert!(known.contains(word), "docs/faults.md names `{word}`, which is nowhere");
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "only {checked} names were found");
}

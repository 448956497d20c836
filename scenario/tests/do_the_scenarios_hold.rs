//! The scenarios in `tests/scenarios`: each file of operations through twin and engine, its answers
//! against the file of expected lines beside it.

use std::fs;
use std::path::{Path, PathBuf};

use spindle_scenario::{Matcher, Twin, Venue, run};

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let entries = fs::read_dir(&folder).expect("the folder of scenarios");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    files
}

/// Where the answers of this matcher are not what is expected.
fn differences(name: &str, matcher: impl Fn() -> Box<dyn Matcher>) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in scenarios() {
        let operations = fs::read(&file).expect("a scenario");
        let expected = fs::read_to_string(file.with_extension("expected")).expect("its answers");
        let mut answers = Vec::new();
        run(&*operations, &mut answers, &mut *matcher()).expect("a run");
        let answers = String::from_utf8(answers).expect("text");
        if answers != expected {
            let (got, wanted): (Vec<_>, Vec<_>) =
                (answers.lines().collect(), expected.lines().collect());
            let same = got.iter().zip(&wanted).take_while(|(got, wanted)| got == wanted).count();
            wrong.push(format!(
                "{}, line {} of the answers of the {name}:\n  expected {}\n  got      {}",
                file.file_stem().unwrap_or_default().display(),
                same + 1,
                wanted.get(same).unwrap_or(&"the end"),
                got.get(same).unwrap_or(&"the end"),
            ));
        }
    }
    wrong
}

#[test]
fn twin_and_engine_answer_as_expected() {
    let count = scenarios().len();
    assert!(count >= 40, "only {count} scenarios were found");
    let mut wrong = differences("twin", || Box::new(Twin::new()));
    wrong.extend(differences("engine", || Box::new(Venue::default())));
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_example_in_the_documentation_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/match.md");
    let page = fs::read_to_string(page).expect("the page");
    let lines = |beginning: &str| -> String {
        let found = page.lines().filter_map(|line| line.strip_prefix("    "));
        found
            .filter(|line| line.starts_with(beginning))
            .fold(String::new(), |all, line| all + line + "\n")
    };
    let mut answers = Vec::new();
    // Of several examples the first has its answers beside it.
    let operations =
        lines("{\"op\"").lines().take(4).fold(String::new(), |all, line| all + line + "\n");
    run(operations.as_bytes(), &mut answers, &mut Venue::default()).expect("a run");
    assert_eq!(String::from_utf8(answers).expect("text"), lines("{\"event\""));
    assert!(lines("{\"event\"").lines().count() > 3, "the page has an example");
}

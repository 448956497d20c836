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

/// The name in a line that is nothing but one in code style.
fn name_of(line: &str) -> Option<&str> {
    line.strip_prefix('`')?.strip_suffix('`').filter(|name| name.starts_with("fill_rule_"))
}

#[test]
fn the_examples_of_the_fill_rules_are_scenarios() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/fill-rules.md")).expect("the page");
    let mut rules = Vec::new();
    let mut files = Vec::new();
    for rule in page.split("\n## Rule ").skip(1) {
        let number = rule.split(':').next().unwrap_or_default();
        rules.push(number.to_string());
        let mut lines = rule.lines();
        let mut examples = 0;
        while let Some(name) = lines.by_ref().find_map(name_of) {
            assert!(name.starts_with(&format!("fill_rule_{number}_")), "{name} in rule {number}");
            let code = |line: &&str| line.is_empty() || line.starts_with("    {");
            let text: Vec<_> = lines.clone().take_while(code).map(str::trim).collect();
            let file = root.join("tests/scenarios").join(name);
            for (ending, beginning) in [("jsonl", "{\"op\""), ("expected", "{\"event\"")] {
                let stored = fs::read_to_string(file.with_extension(ending)).expect(name);
                let stored: Vec<_> = stored.lines().collect();
                let shown = text.iter().copied().filter(|line| line.starts_with(beginning));
                assert_eq!(shown.collect::<Vec<_>>(), stored, "{name}.{ending}");
            }
            examples += 1;
        }
        assert!(examples > 0, "rule {number} has no example");
        // In front of, among and behind the tape's orders, and partly filled, or as many others.
        let prefix = format!("fill_rule_{number}_");
        let of_rule = scenarios().into_iter().filter(|file| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        });
        files.push(of_rule.count());
    }
    assert_eq!(rules, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert!(files.iter().all(|count| *count >= 4), "scenarios of each rule: {files:?}");
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

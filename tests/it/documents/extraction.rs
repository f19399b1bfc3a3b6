//! The flags as described in docs/extraction.md.

use std::collections::BTreeMap;

use feedmill::model::QualityFlag;

use super::document;

#[test]
fn every_flag_has_its_definition_and_consequence() {
    let page = document("extraction.md");
    let (_, table) = page.split_once("| flag | raised if | consequence |\n|---|---|---|\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut rows: BTreeMap<&str, &str> = BTreeMap::new();
    for row in table.lines() {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [flag, definition, consequence] = cells[..] else { panic!("{row}") };
        assert!(!definition.is_empty() && !consequence.is_empty(), "{row}");
        assert!(rows.insert(flag.trim_matches('`'), definition).is_none(), "{flag} is described twice");
    }
    let mut flags = QualityFlag::ALL.map(QualityFlag::as_str);
    flags.sort_unstable();
    assert_eq!(rows.into_keys().collect::<Vec<_>>(), flags);
}

//! The steps from an empty database to the present one: the files of `migrations/sqlite`, in order.
//!
//! They are listed by hand because the macro that would find them compiles a second SQLite for
//! itself.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! step {
    ($version:literal, $name:literal) => {
        ($version, $name, include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")))
    };
}

const STEPS: [(i64, &str, &str); 12] = [
    step!(1, "0001_sessions_and_ledger"),
    step!(2, "0002_events"),
    step!(3, "0003_left_out"),
    step!(4, "0004_tracks"),
    step!(5, "0005_recording_tries"),
    step!(6, "0006_loudest"),
    step!(7, "0007_what_is_left_out"),
    step!(8, "0008_playable"),
    step!(9, "0009_pauses"),
    step!(10, "0010_ledger"),
    step!(11, "0011_exports"),
    step!(12, "0012_supplement"),
];

/// The version of a database that is up to date.
pub(super) const NEWEST: i64 = STEPS[STEPS.len() - 1].0;

pub(super) fn migrator() -> Migrator {
    let steps = STEPS.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_step_numbered_as_it_is_named() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/sqlite");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let steps = STEPS.map(|(_, name, _)| format!("{name}.sql"));
        assert_eq!(files, BTreeSet::from(steps));
        for (version, name, _) in STEPS {
            assert!(name.starts_with(&format!("{version:04}_")), "{name} is step {version}");
        }
    }
}

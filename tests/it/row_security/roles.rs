//! The roles that the program connects as: one that the wall holds for, and, better, one that does
//! not own the tables. The server of the tests has a role of each kind (`scripts/throwaway-postgres`).

use std::path::Path;
use std::process::Command;

use heliograph::app::StartError;
use heliograph::db::{Role, RoleError};

use super::on_postgres;
use crate::support::{EmptyDatabase, TestHouse};

/// Owns databases, as the tests' own role.
const OWNER: &str = "heliograph";
/// May do nothing by itself.
const PROGRAM: &str = "heliograph_program";
/// Has BYPASSRLS.
const BYPASSING: &str = "heliograph_bypassing";

/// The program's answer to a command on an empty database, as a role.
fn program(directory: &Path, arguments: &[&str], url: &str, owner: Option<&str>) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliograph"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELIOGRAPH")) {
        command.env_remove(name);
    }
    if let Some(owner) = owner {
        command.env("HELIOGRAPH__STORE__MIGRATE_URL", owner);
    }
    let output = command.args(arguments).arg("--data-dir").arg(directory);
    let output = output.args(["--database-url", url]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

on_postgres! {
    async fn the_program_does_not_run_where_the_wall_does_not_hold(house: TestHouse) {
        let empty = EmptyDatabase::create().await;
        let url = empty.url_as(BYPASSING);
        let started = house.serve_with(|settings| settings.store.database_url = url.clone()).await;
        let fault = match started {
            Err(StartError::Role(fault)) => fault,
            Err(other) => panic!("another fault: {other}"),
            Ok(_) => panic!("it started as {BYPASSING}"),
        };
        assert!(matches!(&fault, RoleError::Unwalled(Role { name, .. }) if name == BYPASSING));
        let sql = format!("ALTER DATABASE \"{}\" OWNER TO heliograph;", empty.name());
        assert!(fault.to_string().contains(&sql), "{fault}");

        let (code, said) = program(house.directory(), &["migrate", "up"], &url, None);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("BYPASSRLS"), "{said}");
        let (code, said) = program(house.directory(), &["doctor"], &url, None);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("FAULT PostgreSQL role"), "{said}");
        empty.remove().await;
    }

    async fn a_role_that_owns_nothing_runs_the_program(house: TestHouse) {
        let empty = EmptyDatabase::create().await;
        let (url, owner) = (empty.url_as(PROGRAM), empty.url_as(OWNER));
        let (code, said) = program(house.directory(), &["migrate", "up"], &url, None);
        assert_eq!(code, 1, "it has no right to make tables: {said}");
        let (code, said) = program(house.directory(), &["migrate", "up"], &url, Some(&owner));
        assert_eq!(code, 0, "{said}");
        let (code, said) = program(house.directory(), &["migrate", "up"], &url, Some(&owner));
        assert_eq!(code, 0, "once more: {said}");

        let node = house.serve_with(|settings| settings.store.database_url = url.clone()).await;
        let node = node.unwrap();
        let role = node.platform().db.role().await.unwrap().unwrap();
        let as_it_should_be = Role {
            name: PROGRAM.to_owned(),
            database: empty.name().to_owned(),
            is_walled: true,
            owns_tables: false,
        };
        assert_eq!(role, as_it_should_be);
        use sea_orm::ConnectionTrait;
        let sql = "ALTER TABLE message DISABLE ROW LEVEL SECURITY";
        let fault = node.platform().db.migrator().execute_unprepared(sql).await.unwrap_err();
        assert!(fault.to_string().contains("must be owner"), "{fault}");
        node.stop().await;

        let (code, said) = program(house.directory(), &["doctor"], &url, None);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("and owns none"), "{said}");
        let (code, said) = program(house.directory(), &["doctor"], &owner, None);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("could take row security down"), "{said}");
        empty.remove().await;
    }

    async fn an_owner_of_another_database_is_noticed(house: TestHouse) {
        let (empty, other) = (EmptyDatabase::create().await, EmptyDatabase::create().await);
        let (url, owner) = (empty.url_as(PROGRAM), other.url_as(OWNER));
        let (code, said) = program(house.directory(), &["migrate", "up"], &url, Some(&owner));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("another database"), "{said}");
        empty.remove().await;
        other.remove().await;
    }
}

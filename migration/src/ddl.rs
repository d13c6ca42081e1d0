//! One text of a table for both stores. It is written in PostgreSQL's words; for SQLite the types
//! become its storage classes, and the table STRICT (types are enforced) and, unless its rows are
//! wide, WITHOUT ROWID (rows live in the primary key, which a tenant's id leads).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

const SQLITE_TYPES: &[(&str, &str)] = &[
    ("UUID", "BLOB"),
    ("BYTEA", "BLOB"),
    ("SMALLINT", "INTEGER"),
    ("BIGINT", "INTEGER"),
    ("BOOLEAN", "INTEGER"),
];

/// Tables whose rows are too wide to live in an index: SQLite holds whole rows in its inner pages
/// then, and every search takes more steps.
const WIDE_TABLES: &[&str] = &["message"];

/// Creates a table; `columns` is the text between the parentheses.
pub(crate) async fn create_table(
    manager: &SchemaManager<'_>,
    name: &str,
    columns: &str,
) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        DbBackend::Sqlite => {
            let columns = SQLITE_TYPES.iter().fold(columns.to_owned(), |text, (from, to)| {
                text.replace(&format!(" {from}"), &format!(" {to}"))
            });
            let rowid = if WIDE_TABLES.contains(&name) { "" } else { ", WITHOUT ROWID" };
            format!("CREATE TABLE {name} ({columns}) STRICT{rowid}")
        }
        _ => format!("CREATE TABLE {name} ({columns})"),
    };
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Runs statements that both stores understand as they are.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for sql in statements {
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}

/// Runs a statement on PostgreSQL only.
pub(crate) async fn run_on_postgres(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}

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
const WIDE_TABLES: &[&str] = &["message", "contact_import_part"];

/// Creates a table; `columns` is the text between the parentheses.
pub(crate) async fn create_table(
    manager: &SchemaManager<'_>,
    name: &str,
    columns: &str,
) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        DbBackend::Sqlite => {
            let columns = in_sqlite(columns);
            let rowid = if WIDE_TABLES.contains(&name) { "" } else { ", WITHOUT ROWID" };
            format!("CREATE TABLE {name} ({columns}) STRICT{rowid}")
        }
        _ => format!("CREATE TABLE {name} ({columns})"),
    };
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Adds a column to a table; `column` is its name, type and conditions.
pub(crate) async fn add_column(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
) -> Result<(), DbErr> {
    let column = match manager.get_database_backend() {
        DbBackend::Sqlite => in_sqlite(column),
        _ => column.to_owned(),
    };
    let sql = format!("ALTER TABLE {table} ADD COLUMN {column}");
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Columns with SQLite's storage classes for their types.
fn in_sqlite(columns: &str) -> String {
    SQLITE_TYPES.iter().fold(columns.to_owned(), |text, (from, to)| {
        text.replace(&format!(" {from}"), &format!(" {to}"))
    })
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

/// Makes the store itself refuse to change or delete what was written to `table`.
pub(crate) async fn refuse_changes(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let refusal = format!("{table} is append-only");
    if manager.get_database_backend() == DbBackend::Sqlite {
        for verb in ["UPDATE", "DELETE"] {
            let trigger = format!("{table}_no_{}", verb.to_lowercase());
            run(
                manager,
                &[&format!(
                    "CREATE TRIGGER {trigger} BEFORE {verb} ON {table} \
                     BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
                )],
            )
            .await?;
        }
        return Ok(());
    }
    run_on_postgres(
        manager,
        "CREATE OR REPLACE FUNCTION heliograph_append_only() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    )
    .await?;
    run_on_postgres(
        manager,
        &format!(
            "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION heliograph_append_only()"
        ),
    )
    .await
}

/// The setting of a PostgreSQL connection that says whose rows it may see: an account's id, or `*`
/// for those of all accounts (`src/db/connect.rs`). Without it a connection sees none.
///
/// In a sub-select it is read once a statement, not once a row. The comparison stands inside, since
/// a planner takes a bare truth value for one that keeps half the rows, and an equation for one
/// that keeps next to none.
const MAY_SEE_ALL: &str = "(SELECT current_setting('heliograph.account', true) = '*')";
/// The account whose rows may be seen; null for none and for all. A setting that was made for one
/// transaction only reads as an empty text after it.
const ACCOUNT: &str =
    "(SELECT NULLIF(NULLIF(current_setting('heliograph.account', true), '*'), '')::uuid)";

/// Whose the rows of a table are: what the wall between accounts goes by on PostgreSQL.
pub(crate) enum RowsOf {
    /// Of the account whose id stands in this column.
    Account(&'static str),
    /// People: to be seen by the accounts that they belong to, written by none.
    Members,
    /// The installation's own, for no account to see.
    Platform,
}

/// Puts a table behind the wall: forced, so that it holds for the table's owner too.
pub(crate) async fn wall(
    manager: &SchemaManager<'_>,
    table: &str,
    rows: &RowsOf,
) -> Result<(), DbErr> {
    let all_policy = match rows {
        RowsOf::Account(column) => format!("{MAY_SEE_ALL} OR {column} = {ACCOUNT}"),
        RowsOf::Members | RowsOf::Platform => MAY_SEE_ALL.to_owned(),
    };
    let members_policy = match rows {
        RowsOf::Members => format!(
            "CREATE POLICY members ON {table} FOR SELECT USING (EXISTS (SELECT 1 FROM membership \
             WHERE membership.person_id = {table}.id AND membership.account_id = {ACCOUNT}));"
        ),
        RowsOf::Account(_) | RowsOf::Platform => String::new(),
    };
    let sql = format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE {table} FORCE ROW LEVEL SECURITY; \
         CREATE POLICY own_rows ON {table} USING ({all_policy}) WITH CHECK ({all_policy}); \
         {members_policy}"
    );
    run_on_postgres(manager, &sql).await
}

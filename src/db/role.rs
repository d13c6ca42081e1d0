//! What PostgreSQL's role may do. Superusers and roles that bypass row security walk through the
//! wall between accounts, so the program does not run as one.

use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Db, Store};

/// The role that the program connects as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The database connected to.
    pub database: String,
    /// Whether row security holds for it: it is no superuser, and has not BYPASSRLS.
    pub is_walled: bool,
    /// Whether it owns tables of ours, and so could take the wall down.
    pub owns_tables: bool,
}

/// The role cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Row security does not hold for it.
    #[error(
        "the PostgreSQL role {:?} is a superuser or has BYPASSRLS: nothing in the database would \
         keep accounts apart. Make a role for the program, and connect as it:\n{}",
        .0.name, .0.sql_for_proper_role()
    )]
    Unwalled(Role),
    /// The server does not say.
    #[error(transparent)]
    Store(#[from] DbErr),
}

impl Role {
    /// What a superuser runs, so that the program has a role as it should be.
    pub fn sql_for_proper_role(&self) -> String {
        format!(
            "  CREATE ROLE heliograph LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS;\n  \
             ALTER DATABASE {} OWNER TO heliograph;",
            quoted(&self.database)
        )
    }
}

impl Db {
    /// The role that the program connects as; `None` on SQLite, which has no roles.
    ///
    /// # Errors
    /// The store's own.
    pub async fn role(&self) -> Result<Option<Role>, DbErr> {
        if self.store == Store::Sqlite {
            return Ok(None);
        }
        let asked = Statement::from_string(
            self.store.backend(),
            "SELECT rolname::text AS name, current_database()::text AS database, \
             NOT (rolsuper OR rolbypassrls) AS is_walled, EXISTS (SELECT 1 FROM pg_class \
             WHERE relowner = pg_roles.oid AND relkind = 'r' \
             AND relnamespace = current_schema()::regnamespace) AS owns_tables \
             FROM pg_roles WHERE rolname = current_user",
        );
        let row = self.reader.query_one_raw(asked).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the current role".to_owned()))?;
        Ok(Some(Role {
            name: row.try_get("", "name")?,
            database: row.try_get("", "database")?,
            is_walled: row.try_get("", "is_walled")?,
            owns_tables: row.try_get("", "owns_tables")?,
        }))
    }

    /// Passes if the wall between accounts holds for the role that the program connects as.
    ///
    /// # Errors
    /// [`RoleError`].
    pub async fn require_walled_role(&self) -> Result<(), RoleError> {
        match self.role().await? {
            Some(role) if !role.is_walled => Err(RoleError::Unwalled(role)),
            Some(_) | None => Ok(()),
        }
    }
}

/// A name as PostgreSQL reads it inside a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

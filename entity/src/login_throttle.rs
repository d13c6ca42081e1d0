//! Failed log-ins, by keyed hash of who or where.

use sea_orm::entity::prelude::*;

use crate::time::UnixMillis;

/// Failures of one address or one e-mail.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_throttle")]
pub struct Model {
    /// HMAC-SHA256 of the e-mail or the network address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    /// In a row.
    pub failures: i32,
    /// The next try is answered from this time on.
    pub allowed_at_ms: UnixMillis,
    /// Forgotten a day after this.
    pub updated_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("login_throttle row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

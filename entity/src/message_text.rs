//! Texts of messages. Only `messages::text_store` reads and writes this table.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, TextId};
use crate::time::UnixMillis;

/// A text, shared by all messages of one call that have it.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_text")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TextId,
    /// UTF-8.
    pub body: Vec<u8>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("message_text row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

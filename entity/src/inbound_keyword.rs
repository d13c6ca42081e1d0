//! Keywords of an account's own.

use sea_orm::entity::prelude::*;

use crate::enums::KeywordAction;
use crate::ids::{AccountId, KeywordId};
use crate::time::UnixMillis;

/// A keyword.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_keyword")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeywordId,
    /// As keywords are compared, unique in the account.
    pub word: String,
    /// What it does.
    pub action: KeywordAction,
    /// What is answered; none: what the platform answers.
    pub answer: Option<String>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

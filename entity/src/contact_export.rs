//! Exports: contacts that go into a file, and who asked for them.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, ApiKeyId, ContactExportId, PersonId};
use crate::time::UnixMillis;

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_export")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContactExportId,
    /// JSON: which contacts.
    pub options: String,
    /// The person who asked for it.
    pub person_id: Option<PersonId>,
    /// The key that asked for it.
    pub api_key_id: Option<ApiKeyId>,
    /// Until when it can be downloaded.
    pub expires_at_ms: UnixMillis,
    /// How many downloads began.
    pub download_count: i32,
    /// Contacts in the last download that came to its end.
    pub contact_count: Option<i64>,
    /// When the last download began.
    pub downloaded_at_ms: Option<UnixMillis>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The files of imports, in sealed parts: which node reads them is not the one that took them in.

use sea_orm::entity::prelude::*;

use crate::enums::ImportPartKind;
use crate::ids::{AccountId, ContactImportId};

/// A part of a file.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_import_part")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of which import.
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_id: ContactImportId,
    /// Of which file.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: ImportPartKind,
    /// Its place, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i32,
    /// Sealed.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("contact_import_part row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

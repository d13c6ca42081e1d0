//! Which people belong to which accounts.

use sea_orm::entity::prelude::*;

use crate::enums::Role;
use crate::ids::{AccountId, PersonId};
use crate::time::UnixMillis;

/// A role of a person in an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "membership")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: PersonId,
    /// What the person may do there.
    pub role: Role,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When the role last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Subscriptions: which account has which plan, and how far it is charged.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, PlanId};
use crate::time::UnixMillis;

/// An account's plan.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Which plan.
    pub plan_id: PlanId,
    /// When its first month began.
    pub started_at_ms: UnixMillis,
    /// The month that is charged next, from 0.
    pub next_month: i32,
    /// When that is tried.
    pub due_at_ms: UnixMillis,
    /// Since when the money does not reach; none: it does.
    pub first_failed_at_ms: Option<UnixMillis>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

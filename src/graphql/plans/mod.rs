//! Plans in the contract. Behaviour: `crate::billing::plans`.

mod mutations;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::plan::Model;

pub use mutations::{
    CreatePlanError, DeletePlanError, PlansMutation, SubscribeAccountError,
    UnsubscribeAccountError, UpdatePlanError,
};

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::show_id;
use super::loaders::{IncludedPackage, RateCardRow, load};
use super::money::Money;
use super::packages::Package;
use super::rate_cards::RateCard;
use super::scalars::{Cursor, DateTime};
use crate::billing::Whose;
use crate::billing::plans::{self, Subscribed};
use crate::types::cursor::CursorKind;

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan(pub Model);

/// What an account pays each month, and the prices that it gets for it. Read by the operator's
/// owners, admins and billing, and by the accounts that have it.
#[Object]
impl Plan {
    /// The plan's id, `plan_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, unique, 1 to 100 characters.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What a month costs.
    async fn monthly_price(&self) -> Answer<Money> {
        Money::stored(self.0.monthly_price_micros, &self.0.currency)
    }

    /// The prices that accounts with the plan are given; null: none of its own. For the operator's
    /// owners, admins and billing.
    async fn rate_card(&self, context: &Context<'_>) -> Answer<Option<RateCard>> {
        let Some(id) = self.0.rate_card_id else { return Ok(None) };
        Ok(load(context, RateCardRow(id)).await?.map(RateCard))
    }

    /// The package that is granted with each month; null: none.
    async fn package(&self, context: &Context<'_>) -> Answer<Option<Package>> {
        let Some(id) = self.0.package_id else { return Ok(None) };
        Ok(load(context, IncludedPackage(id)).await?.map(Package))
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// The plan that an account has. Its months begin on the day on which it was subscribed, and are
/// charged in advance.
#[derive(SimpleObject, Clone, Debug)]
pub struct PlanSubscription {
    /// Which plan.
    plan: Plan,
    /// When its first month began.
    started_at: DateTime,
    /// When the next month is charged, or what could not be charged is tried again.
    due_at: DateTime,
    /// Since when the account's money does not reach to a month that has begun; null: all are paid.
    overdue_from: Option<DateTime>,
}

impl From<Subscribed> for PlanSubscription {
    fn from(subscribed: Subscribed) -> Self {
        let Subscribed { row, plan } = subscribed;
        Self {
            plan: Plan(plan),
            started_at: row.started_at_ms.into(),
            due_at: row.due_at_ms.into(),
            overdue_from: row.first_failed_at_ms.map(Into::into),
        }
    }
}

/// Reads.
#[derive(Default)]
pub struct PlansQuery;

#[Object]
impl PlansQuery {
    /// All plans, newest first. For the operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn plans(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Plan>> {
        let (ctx, kind) = (call(context)?, CursorKind::Plans);
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = plans::page(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(plans::count(ctx).await?),
            false => None,
        };
        let page = page.map(|row| (row.id, Plan(row)));
        Ok(Connection::new(kind, page, total))
    }

    /// The plan of the caller's account; null if it has none. For owners, admins, developers,
    /// billing, and keys with the scope `billing:read`.
    async fn plan_subscription(&self, context: &Context<'_>) -> Answer<Option<PlanSubscription>> {
        Ok(plans::subscription(call(context)?, Whose::Own).await?.map(Into::into))
    }
}

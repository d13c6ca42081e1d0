//! Making, changing and removing plans, and giving them to accounts.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::ids::AccountId;

use super::{Plan, PlanSubscription};
use crate::billing::Whose;
use crate::billing::plans::{
    self, ChangePlanRejection, CreatePlanRejection, DeletePlanRejection, NewPlan, PlanChange,
    SubscribeRejection, UnsubscribeRejection,
};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::scalars::{CurrencyCode, Decimal};

/// What `createPlan` takes.
#[derive(InputObject, Debug)]
pub struct CreatePlanInput {
    /// Its name, unique, 1 to 100 characters.
    pub name: String,
    /// What it is charged in.
    pub currency: CurrencyCode,
    /// What a month costs; zero or more.
    pub monthly_price: Decimal,
    /// The rate card that accounts with the plan are given, `rate_…`, in the same currency; null or
    /// absent: none of its own.
    pub rate_card_id: Option<ID>,
    /// The package that is granted with each month, `pack_…`, on offer and in the same currency; null
    /// or absent: none.
    pub package_id: Option<ID>,
}

/// What `createPlan` answers.
#[derive(SimpleObject)]
pub struct CreatePlanPayload {
    /// The new plan; null if it was not made.
    plan: Option<Plan>,
    /// Why not; empty if it was.
    user_errors: Vec<CreatePlanError>,
}

user_error! {
    /// Why a plan was not made.
    CreatePlanError,
    /// Why a plan was not made, for a program to read.
    CreatePlanErrorCode {
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a plan of this name.
        NameTaken,
        /// The price is below zero.
        InvalidPrice,
        /// There is no such rate card.
        RateCardNotFound,
        /// The rate card is in another currency.
        OtherCurrency,
        /// There is no such package on offer.
        PackageNotFound,
        /// The package is in another currency.
        PackageInOtherCurrency,
        /// There are as many plans as there may be: 1,000.
        TooManyPlans,
    }
}

/// What `updatePlan` takes. What is absent stays.
#[derive(InputObject, Debug)]
pub struct UpdatePlanInput {
    /// The plan, `plan_…`.
    pub plan_id: ID,
    /// Another name, unique, 1 to 100 characters.
    pub name: Option<String>,
    /// Another price, for months that are not charged yet.
    pub monthly_price: Option<Decimal>,
}

/// What `updatePlan` answers.
#[derive(SimpleObject)]
pub struct UpdatePlanPayload {
    /// The plan as it is now; null if it was not changed.
    plan: Option<Plan>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdatePlanError>,
}

user_error! {
    /// Why a plan was not changed.
    UpdatePlanError,
    /// Why a plan was not changed, for a program to read.
    UpdatePlanErrorCode {
        /// There is no such plan.
        PlanNotFound,
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a plan of this name.
        NameTaken,
        /// The price is below zero.
        InvalidPrice,
    }
}

/// What `deletePlan` takes.
#[derive(InputObject, Debug)]
pub struct DeletePlanInput {
    /// The plan, `plan_…`.
    pub plan_id: ID,
}

/// What `deletePlan` answers.
#[derive(SimpleObject)]
pub struct DeletePlanPayload {
    /// The id of the plan that is gone; null if none was deleted.
    deleted_plan_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeletePlanError>,
}

user_error! {
    /// Why a plan was not deleted.
    DeletePlanError,
    /// Why a plan was not deleted, for a program to read.
    DeletePlanErrorCode {
        /// There is no such plan.
        PlanNotFound,
        /// Accounts have it.
        PlanInUse,
    }
}

/// What `subscribeAccount` takes.
#[derive(InputObject, Debug)]
pub struct SubscribeAccountInput {
    /// The account, `acct_…`.
    pub account_id: ID,
    /// The plan, `plan_…`, in the account's currency.
    pub plan_id: ID,
}

/// What `subscribeAccount` answers.
#[derive(SimpleObject)]
pub struct SubscribeAccountPayload {
    /// The account's plan; null if it was not given.
    plan_subscription: Option<PlanSubscription>,
    /// Why not; empty if it was.
    user_errors: Vec<SubscribeAccountError>,
}

user_error! {
    /// Why an account was not given a plan.
    SubscribeAccountError,
    /// Why an account was not given a plan, for a program to read.
    SubscribeAccountErrorCode {
        /// There is no such account.
        AccountNotFound,
        /// There is no such plan.
        PlanNotFound,
        /// The plan is in another currency than the account.
        OtherCurrency,
        /// The account has another plan.
        AlreadySubscribed,
    }
}

/// What `unsubscribeAccount` takes.
#[derive(InputObject, Debug)]
pub struct UnsubscribeAccountInput {
    /// The account, `acct_…`.
    pub account_id: ID,
}

/// What `unsubscribeAccount` answers.
#[derive(SimpleObject)]
pub struct UnsubscribeAccountPayload {
    /// Whether the plan was taken back.
    unsubscribed: bool,
    /// Why not; empty if it was.
    user_errors: Vec<UnsubscribeAccountError>,
}

user_error! {
    /// Why an account's plan was not taken back.
    UnsubscribeAccountError,
    /// Why an account's plan was not taken back, for a program to read.
    UnsubscribeAccountErrorCode {
        /// The account has no plan.
        NotSubscribed,
    }
}

/// Writes.
#[derive(Default)]
pub struct PlansMutation;

#[Object]
impl PlansMutation {
    /// Makes a plan. For the operator's owners, admins and billing. Not idempotent: a second plan of
    /// the name answers `NAME_TAKEN` and changes nothing.
    async fn create_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreatePlanInput,
    ) -> Answer<CreatePlanPayload> {
        let new = NewPlan {
            name: input.name,
            currency: input.currency.0,
            monthly_price: input.monthly_price.0,
            rate_card_id: input.rate_card_id.as_ref().map(parse_id).transpose()?,
            package_id: input.package_id.as_ref().map(parse_id).transpose()?,
        };
        Ok(match value_or_rejection(plans::create(call(context)?, new).await)? {
            Ok(row) => CreatePlanPayload { plan: Some(Plan(row)), user_errors: Vec::new() },
            Err(rejection) => {
                CreatePlanPayload { plan: None, user_errors: vec![create_error(rejection)] }
            }
        })
    }

    /// Changes a plan's name or price. For the operator's owners, admins and billing. Idempotent, but
    /// that the plan gets a new version.
    async fn update_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which plan, and what of it.")] input: UpdatePlanInput,
    ) -> Answer<UpdatePlanPayload> {
        let id = parse_id(&input.plan_id)?;
        let monthly_price = input.monthly_price.map(|price| price.0);
        let change = PlanChange { name: input.name, monthly_price };
        Ok(match value_or_rejection(plans::change(call(context)?, id, change).await)? {
            Ok(row) => UpdatePlanPayload { plan: Some(Plan(row)), user_errors: Vec::new() },
            Err(rejection) => {
                UpdatePlanPayload { plan: None, user_errors: vec![update_error(rejection)] }
            }
        })
    }

    /// Deletes a plan that no account has. For the operator's owners, admins and billing. Idempotent,
    /// but that a second time answers `PLAN_NOT_FOUND`.
    async fn delete_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which plan.")] input: DeletePlanInput,
    ) -> Answer<DeletePlanPayload> {
        let outcome = plans::delete(call(context)?, parse_id(&input.plan_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(id) => {
                DeletePlanPayload { deleted_plan_id: Some(show_id(id)), user_errors: Vec::new() }
            }
            Err(rejection) => DeletePlanPayload {
                deleted_plan_id: None,
                user_errors: vec![delete_error(rejection)],
            },
        })
    }

    /// Gives an account a plan with its rate card, from now on, and charges the first month. What the
    /// account's money does not reach to is tried again each day. For the operator's owners, admins
    /// and billing. Idempotent.
    async fn subscribe_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which plan to whom.")] input: SubscribeAccountInput,
    ) -> Answer<SubscribeAccountPayload> {
        let ctx = call(context)?;
        let account_id: AccountId = parse_id(&input.account_id)?;
        let outcome = plans::subscribe(ctx, account_id, parse_id(&input.plan_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(_) => SubscribeAccountPayload {
                plan_subscription: plans::subscription(ctx, Whose::Of(account_id))
                    .await?
                    .map(Into::into),
                user_errors: Vec::new(),
            },
            Err(rejection) => SubscribeAccountPayload {
                plan_subscription: None,
                user_errors: vec![subscribe_error(rejection)],
            },
        })
    }

    /// Takes an account's plan back, and with it the plan's rate card. What was charged stays charged.
    /// For the operator's owners, admins and billing. Idempotent, but that a second time answers
    /// `NOT_SUBSCRIBED`.
    async fn unsubscribe_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whose plan.")] input: UnsubscribeAccountInput,
    ) -> Answer<UnsubscribeAccountPayload> {
        let outcome = plans::unsubscribe(call(context)?, parse_id(&input.account_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => UnsubscribeAccountPayload { unsubscribed: true, user_errors: Vec::new() },
            Err(rejection @ UnsubscribeRejection::NotSubscribed) => UnsubscribeAccountPayload {
                unsubscribed: false,
                user_errors: vec![UnsubscribeAccountError::new(
                    UnsubscribeAccountErrorCode::NotSubscribed,
                    &["accountId"],
                    rejection,
                )],
            },
        })
    }
}

fn create_error(rejection: CreatePlanRejection) -> CreatePlanError {
    use CreatePlanErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        CreatePlanRejection::InvalidName => (Code::InvalidName, &["name"]),
        CreatePlanRejection::NameTaken => (Code::NameTaken, &["name"]),
        CreatePlanRejection::InvalidPrice => (Code::InvalidPrice, &["monthlyPrice"]),
        CreatePlanRejection::NoSuchCard => (Code::RateCardNotFound, &["rateCardId"]),
        CreatePlanRejection::OtherCurrency => (Code::OtherCurrency, &["rateCardId"]),
        CreatePlanRejection::NoSuchPackage => (Code::PackageNotFound, &["packageId"]),
        CreatePlanRejection::PackageInOtherCurrency => {
            (Code::PackageInOtherCurrency, &["packageId"])
        }
        CreatePlanRejection::TooMany => (Code::TooManyPlans, &[]),
    };
    CreatePlanError::new(code, path, rejection)
}

fn update_error(rejection: ChangePlanRejection) -> UpdatePlanError {
    use UpdatePlanErrorCode as Code;
    let (code, path) = match rejection {
        ChangePlanRejection::NotFound => (Code::PlanNotFound, "planId"),
        ChangePlanRejection::InvalidName => (Code::InvalidName, "name"),
        ChangePlanRejection::NameTaken => (Code::NameTaken, "name"),
        ChangePlanRejection::InvalidPrice => (Code::InvalidPrice, "monthlyPrice"),
    };
    UpdatePlanError::new(code, &[path], rejection)
}

fn delete_error(rejection: DeletePlanRejection) -> DeletePlanError {
    let code = match rejection {
        DeletePlanRejection::NotFound => DeletePlanErrorCode::PlanNotFound,
        DeletePlanRejection::InUse => DeletePlanErrorCode::PlanInUse,
    };
    DeletePlanError::new(code, &["planId"], rejection)
}

fn subscribe_error(rejection: SubscribeRejection) -> SubscribeAccountError {
    use SubscribeAccountErrorCode as Code;
    let (code, path) = match rejection {
        SubscribeRejection::NoSuchAccount => (Code::AccountNotFound, "accountId"),
        SubscribeRejection::NoSuchPlan => (Code::PlanNotFound, "planId"),
        SubscribeRejection::OtherCurrency => (Code::OtherCurrency, "planId"),
        SubscribeRejection::AlreadySubscribed => (Code::AlreadySubscribed, "accountId"),
    };
    SubscribeAccountError::new(code, &[path], rejection)
}

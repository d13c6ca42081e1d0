//! Making, changing and removing rate cards, and giving them to accounts.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{AccountTerms, RateCard};
use crate::billing::rate_cards::{
    self, AssignRateCardRejection, ChangeRateCardRejection, CreateRateCardRejection,
    DeleteRateCardRejection, NewRateCard, RateCardChange,
};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::scalars::CurrencyCode;

/// What `createRateCard` takes.
#[derive(InputObject, Debug)]
pub struct CreateRateCardInput {
    /// Its name, unique, 1 to 100 characters.
    pub name: String,
    /// What its prices are in.
    pub currency: CurrencyCode,
    /// Whether accounts of the currency without a card of their own have it; null or absent: they do
    /// not. The one that was the default before is it no more.
    pub is_default: Option<bool>,
}

/// What `createRateCard` answers.
#[derive(SimpleObject)]
pub struct CreateRateCardPayload {
    /// The new card, without rates; null if it was not made.
    rate_card: Option<RateCard>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateRateCardError>,
}

user_error! {
    /// Why a rate card was not made.
    CreateRateCardError,
    /// Why a rate card was not made, for a program to read.
    CreateRateCardErrorCode {
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a rate card of this name.
        NameTaken,
        /// There are as many rate cards as there may be: 1,000.
        TooManyRateCards,
    }
}

/// What `updateRateCard` takes. What is absent stays.
#[derive(InputObject, Debug)]
pub struct UpdateRateCardInput {
    /// The card, `rate_…`.
    pub rate_card_id: ID,
    /// Another name, unique, 1 to 100 characters.
    pub name: Option<String>,
    /// Whether accounts of the currency without a card of their own have it. The one that was the
    /// default before is it no more.
    pub is_default: Option<bool>,
}

/// What `updateRateCard` answers.
#[derive(SimpleObject)]
pub struct UpdateRateCardPayload {
    /// The card as it is now; null if it was not changed.
    rate_card: Option<RateCard>,
    /// Why not; empty if it was.
    user_errors: Vec<UpdateRateCardError>,
}

user_error! {
    /// Why a rate card was not changed.
    UpdateRateCardError,
    /// Why a rate card was not changed, for a program to read.
    UpdateRateCardErrorCode {
        /// There is no such rate card.
        RateCardNotFound,
        /// The name is empty or longer than 100 characters.
        InvalidName,
        /// There is a rate card of this name.
        NameTaken,
    }
}

/// What `deleteRateCard` takes.
#[derive(InputObject, Debug)]
pub struct DeleteRateCardInput {
    /// The card, `rate_…`.
    pub rate_card_id: ID,
}

/// What `deleteRateCard` answers.
#[derive(SimpleObject)]
pub struct DeleteRateCardPayload {
    /// The id of the card that is gone; null if none was deleted.
    deleted_rate_card_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteRateCardError>,
}

user_error! {
    /// Why a rate card was not deleted.
    DeleteRateCardError,
    /// Why a rate card was not deleted, for a program to read.
    DeleteRateCardErrorCode {
        /// There is no such rate card.
        RateCardNotFound,
        /// Accounts have it, or it is its currency's default.
        RateCardInUse,
    }
}

/// What `assignRateCard` takes.
#[derive(InputObject, Debug)]
pub struct AssignRateCardInput {
    /// The account, `acct_…`.
    pub account_id: ID,
    /// The card, `rate_…`; null or absent: its currency's default card.
    pub rate_card_id: Option<ID>,
}

/// What `assignRateCard` answers.
#[derive(SimpleObject)]
pub struct AssignRateCardPayload {
    /// How the account pays then; null if nothing was changed.
    account_terms: Option<AccountTerms>,
    /// Why not; empty if it was.
    user_errors: Vec<AssignRateCardError>,
}

user_error! {
    /// Why an account was not given a rate card.
    AssignRateCardError,
    /// Why an account was not given a rate card, for a program to read.
    AssignRateCardErrorCode {
        /// There is no such account.
        AccountNotFound,
        /// There is no such rate card.
        RateCardNotFound,
        /// The account is charged in another currency than the card's.
        OtherCurrency,
    }
}

/// Writes.
#[derive(Default)]
pub struct RateCardsMutation;

#[Object]
impl RateCardsMutation {
    /// Makes an empty rate card. For the operator's owners, admins and billing. Not idempotent: a
    /// second card of the name answers `NAME_TAKEN` and changes nothing.
    async fn create_rate_card(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateRateCardInput,
    ) -> Answer<CreateRateCardPayload> {
        let (currency, is_default) = (input.currency.0, input.is_default.unwrap_or(false));
        let new = NewRateCard { name: input.name, currency, is_default };
        let outcome = rate_cards::create(call(context)?, new).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                CreateRateCardPayload { rate_card: Some(RateCard(row)), user_errors: Vec::new() }
            }
            Err(rejection) => CreateRateCardPayload {
                rate_card: None,
                user_errors: vec![create_error(rejection)],
            },
        })
    }

    /// Changes a rate card's name, or whether it is its currency's default: at once for messages that
    /// are accepted from then on (on other nodes within a second). For the operator's owners, admins
    /// and billing. Idempotent, but that the card gets a new version.
    async fn update_rate_card(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which card, and what of it.")] input: UpdateRateCardInput,
    ) -> Answer<UpdateRateCardPayload> {
        let id = parse_id(&input.rate_card_id)?;
        let change = RateCardChange { name: input.name, is_default: input.is_default };
        let outcome = rate_cards::change(call(context)?, id, change).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => {
                UpdateRateCardPayload { rate_card: Some(RateCard(row)), user_errors: Vec::new() }
            }
            Err(rejection) => UpdateRateCardPayload {
                rate_card: None,
                user_errors: vec![update_error(rejection)],
            },
        })
    }

    /// Deletes a rate card with its rates, unless it is used. For the operator's owners, admins and
    /// billing. Idempotent, but that a second time answers `RATE_CARD_NOT_FOUND`.
    async fn delete_rate_card(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which card.")] input: DeleteRateCardInput,
    ) -> Answer<DeleteRateCardPayload> {
        let outcome = rate_cards::delete(call(context)?, parse_id(&input.rate_card_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(id) => DeleteRateCardPayload {
                deleted_rate_card_id: Some(show_id(id)),
                user_errors: Vec::new(),
            },
            Err(rejection) => DeleteRateCardPayload {
                deleted_rate_card_id: None,
                user_errors: vec![delete_error(rejection)],
            },
        })
    }

    /// Gives an account a rate card, or takes its own back. Messages that were accepted keep their
    /// price. An account that nothing was charged to yet is charged in the card's currency from then
    /// on. For the operator's owners, admins and billing. Idempotent.
    async fn assign_rate_card(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which card to whom.")] input: AssignRateCardInput,
    ) -> Answer<AssignRateCardPayload> {
        let account_id = parse_id(&input.account_id)?;
        let card = input.rate_card_id.as_ref().map(parse_id).transpose()?;
        let outcome = rate_cards::assign(call(context)?, account_id, card).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(terms) => AssignRateCardPayload {
                account_terms: Some(AccountTerms::new(account_id, terms)),
                user_errors: Vec::new(),
            },
            Err(rejection) => AssignRateCardPayload {
                account_terms: None,
                user_errors: vec![assign_error(rejection)],
            },
        })
    }
}

fn create_error(rejection: CreateRateCardRejection) -> CreateRateCardError {
    use CreateRateCardErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        CreateRateCardRejection::InvalidName => (Code::InvalidName, &["name"]),
        CreateRateCardRejection::NameTaken => (Code::NameTaken, &["name"]),
        CreateRateCardRejection::TooMany => (Code::TooManyRateCards, &[]),
    };
    CreateRateCardError::new(code, path, rejection)
}

fn update_error(rejection: ChangeRateCardRejection) -> UpdateRateCardError {
    use UpdateRateCardErrorCode as Code;
    let (code, path) = match rejection {
        ChangeRateCardRejection::NotFound => (Code::RateCardNotFound, "rateCardId"),
        ChangeRateCardRejection::InvalidName => (Code::InvalidName, "name"),
        ChangeRateCardRejection::NameTaken => (Code::NameTaken, "name"),
    };
    UpdateRateCardError::new(code, &[path], rejection)
}

fn delete_error(rejection: DeleteRateCardRejection) -> DeleteRateCardError {
    let code = match rejection {
        DeleteRateCardRejection::NotFound => DeleteRateCardErrorCode::RateCardNotFound,
        DeleteRateCardRejection::InUse => DeleteRateCardErrorCode::RateCardInUse,
    };
    DeleteRateCardError::new(code, &["rateCardId"], rejection)
}

fn assign_error(rejection: AssignRateCardRejection) -> AssignRateCardError {
    use AssignRateCardErrorCode as Code;
    let (code, path) = match rejection {
        AssignRateCardRejection::NoSuchAccount => (Code::AccountNotFound, "accountId"),
        AssignRateCardRejection::NoSuchCard => (Code::RateCardNotFound, "rateCardId"),
        AssignRateCardRejection::OtherCurrency => (Code::OtherCurrency, "rateCardId"),
    };
    AssignRateCardError::new(code, &[path], rejection)
}

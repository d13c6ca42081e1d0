//! Setting, removing and importing rates.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::RateCard;
use crate::billing::rate_cards::{
    self, ImportRejection, Imported, LineFault, Present, PriceListFault, RateFault, RateKeyText,
    RateText, RatesRejection, Target,
};
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::messages::enums::MessageClass;
use crate::graphql::scalars::{DateTime, PartPrice};

/// A rate to be set.
#[derive(InputObject, Debug)]
pub struct RateInput {
    /// What the numbers begin with: a plus sign and 0 to 15 digits; `+` alone stands for all.
    pub prefix: String,
    /// Which messages; null or absent: of every class.
    pub class: Option<MessageClass>,
    /// For messages that are accepted from this time on; null or absent: from now on.
    pub effective_from: Option<DateTime>,
    /// Of a part, in the card's currency.
    pub price: PartPrice,
}

/// What `setRates` takes.
#[derive(InputObject, Debug)]
pub struct SetRatesInput {
    /// The card, `rate_…`.
    pub rate_card_id: ID,
    /// At most 1,000. What has a rate for the same prefix, class and time gets the new price.
    pub rates: Vec<RateInput>,
}

/// What `setRates` answers.
#[derive(SimpleObject)]
pub struct SetRatesPayload {
    /// The card as it is now; null if no rate was set.
    rate_card: Option<RateCard>,
    /// Why not, at most one for each rate; empty if all were.
    user_errors: Vec<SetRatesError>,
}

user_error! {
    /// Why no rate was set.
    SetRatesError,
    /// Why no rate was set, for a program to read.
    SetRatesErrorCode {
        /// There is no such rate card.
        RateCardNotFound,
        /// No rate was named.
        NoRates,
        /// More than 1,000 rates were named.
        TooManyRates,
        /// It is not a prefix.
        InvalidPrefix,
        /// The same prefix, class and time was named before.
        RepeatedRate,
        /// All rate cards together have as many rates as there may be: 2,000,000.
        RatesFull,
    }
}

/// What a rate is known by.
#[derive(InputObject, Debug)]
pub struct RateKeyInput {
    /// Its prefix, `+44`.
    pub prefix: String,
    /// Its class; null or absent: the rate of every class.
    pub class: Option<MessageClass>,
    /// Its time.
    pub effective_from: DateTime,
}

/// What `removeRates` takes.
#[derive(InputObject, Debug)]
pub struct RemoveRatesInput {
    /// The card, `rate_…`.
    pub rate_card_id: ID,
    /// At most 1,000. What is not there is passed over.
    pub rates: Vec<RateKeyInput>,
}

/// What `removeRates` answers.
#[derive(SimpleObject)]
pub struct RemoveRatesPayload {
    /// The card as it is now; null if nothing was done.
    rate_card: Option<RateCard>,
    /// How many rates were there and are no more.
    removed_count: i32,
    /// Why nothing was done; empty if it was.
    user_errors: Vec<RemoveRatesError>,
}

user_error! {
    /// Why no rate was removed.
    RemoveRatesError,
    /// Why no rate was removed, for a program to read.
    RemoveRatesErrorCode {
        /// There is no such rate card.
        RateCardNotFound,
        /// No rate was named.
        NoRates,
        /// More than 1,000 rates were named.
        TooManyRates,
        /// It is not a prefix.
        InvalidPrefix,
        /// The same prefix, class and time was named before.
        RepeatedRate,
    }
}

/// What `importRates` takes.
#[derive(InputObject, Debug)]
pub struct ImportRatesInput {
    /// The card, `rate_…`.
    pub rate_card_id: ID,
    /// The price list: CSV (RFC 4180) in UTF-8, at most 200 KiB, whose first line names the columns
    /// `prefix` and `price`, and if wanted `class` and `effective_from`, in any order. Others are
    /// passed over. An empty class is every class, an empty `effective_from` is now; it takes days
    /// (`2026-11-22`, from midnight UTC) and times as in RFC 3339.
    pub csv: String,
    /// Whether the rates that the card has go; null or absent: they stay, and those that the list
    /// names as well get its price.
    pub replace: Option<bool>,
}

/// A line of a list that cannot be read as what the list is of.
#[derive(SimpleObject, Clone, Debug)]
pub struct FaultyLine {
    /// Its number, from 1.
    line: i32,
    /// What is wrong with it, for a person to read.
    reason: String,
}

impl From<LineFault> for FaultyLine {
    fn from(LineFault { line, reason }: LineFault) -> Self {
        Self { line: i32::try_from(line).unwrap_or(i32::MAX), reason }
    }
}

/// What `importRates` answers.
#[derive(SimpleObject)]
pub struct ImportRatesPayload {
    /// The card as it is now; null if nothing was imported.
    rate_card: Option<RateCard>,
    /// How many rates were imported: all of the list, or none.
    imported_count: i32,
    /// The first lines that are not rates, at most 100.
    faulty_lines: Vec<FaultyLine>,
    /// Why nothing was imported; empty if the list was.
    user_errors: Vec<ImportRatesError>,
}

user_error! {
    /// Why a price list was not imported.
    ImportRatesError,
    /// Why a price list was not imported, for a program to read.
    ImportRatesErrorCode {
        /// There is no such rate card.
        RateCardNotFound,
        /// The list is longer than 200 KiB or 200,000 lines.
        ListTooLong,
        /// It is not a list of prices with a line of column names.
        InvalidList,
        /// Lines of it are not rates; `faultyLines` says which and why.
        FaultyLines,
        /// All rate cards together have as many rates as there may be: 2,000,000.
        RatesFull,
    }
}

/// Writes.
#[derive(Default)]
pub struct RatesMutation;

#[Object]
impl RatesMutation {
    /// Sets rates of a card, all or none, for messages that are accepted from then on (on other nodes
    /// within a second). For the operator's owners, admins and billing. Idempotent where every rate
    /// names its `effectiveFrom`, but that the card gets a new version.
    async fn set_rates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which rates of which card.")] input: SetRatesInput,
    ) -> Answer<SetRatesPayload> {
        let rate = |rate: RateInput| RateText {
            prefix: rate.prefix,
            class: rate.class.map(Into::into),
            effective_from: rate.effective_from.map(|from| from.0),
            price: rate.price.0,
        };
        let rates = input.rates.into_iter().map(rate).collect();
        let id = parse_id(&input.rate_card_id)?;
        let outcome = rate_cards::set_rates(call(context)?, id, rates).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(card) => {
                SetRatesPayload { rate_card: Some(RateCard(card)), user_errors: Vec::new() }
            }
            Err(rejection) => {
                SetRatesPayload { rate_card: None, user_errors: set_errors(&rejection) }
            }
        })
    }

    /// Removes rates of a card, all or none. For the operator's owners, admins and billing.
    /// Idempotent, but that the card gets a new version.
    async fn remove_rates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which rates of which card.")] input: RemoveRatesInput,
    ) -> Answer<RemoveRatesPayload> {
        let key = |key: RateKeyInput| RateKeyText {
            prefix: key.prefix,
            class: key.class.map(Into::into),
            effective_from: key.effective_from.0,
        };
        let keys = input.rates.into_iter().map(key).collect();
        let id = parse_id(&input.rate_card_id)?;
        let outcome = rate_cards::remove_rates(call(context)?, id, keys).await;
        Ok(match value_or_rejection(outcome)? {
            Ok((card, removed)) => RemoveRatesPayload {
                rate_card: Some(RateCard(card)),
                removed_count: i32::try_from(removed).unwrap_or(i32::MAX),
                user_errors: Vec::new(),
            },
            Err(rejection) => RemoveRatesPayload {
                rate_card: None,
                removed_count: 0,
                user_errors: remove_errors(&rejection),
            },
        })
    }

    /// Puts a price list into a card, whole or not at all; longer lists are imported from the command
    /// line. For the operator's owners, admins and billing. Idempotent where every line has its
    /// `effective_from`, but that the card gets a new version.
    async fn import_rates(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The list, and the card.")] input: ImportRatesInput,
    ) -> Answer<ImportRatesPayload> {
        let target = Target::Card(parse_id(&input.rate_card_id)?);
        let present = match input.replace {
            Some(true) => Present::Replace,
            Some(false) | None => Present::Keep,
        };
        let outcome = rate_cards::import_text(call(context)?, target, &input.csv, present).await;
        Ok(import_payload(value_or_rejection(outcome)?))
    }
}

/// One error for each rate that is to blame, or one for all.
fn set_errors(rejection: &RatesRejection) -> Vec<SetRatesError> {
    use SetRatesErrorCode as Code;
    let whole = |code, path: &str| vec![SetRatesError::new(code, &[path], rejection)];
    match rejection {
        RatesRejection::NoSuchCard => whole(Code::RateCardNotFound, "rateCardId"),
        RatesRejection::Empty => whole(Code::NoRates, "rates"),
        RatesRejection::TooMany => whole(Code::TooManyRates, "rates"),
        RatesRejection::Full => whole(Code::RatesFull, "rates"),
        RatesRejection::Invalid(faults) => {
            let error = |(place, fault): &(usize, RateFault)| {
                let place = place.to_string();
                match fault {
                    RateFault::InvalidPrefix => {
                        let path = ["rates", place.as_str(), "prefix"];
                        SetRatesError::new(Code::InvalidPrefix, &path, fault)
                    }
                    RateFault::Repeated => {
                        SetRatesError::new(Code::RepeatedRate, &["rates", &place], fault)
                    }
                }
            };
            faults.iter().map(error).collect()
        }
    }
}

fn remove_errors(rejection: &RatesRejection) -> Vec<RemoveRatesError> {
    use RemoveRatesErrorCode as Code;
    let code = |code| match code {
        SetRatesErrorCode::RateCardNotFound => Code::RateCardNotFound,
        SetRatesErrorCode::NoRates => Code::NoRates,
        // Removing makes nothing full.
        SetRatesErrorCode::TooManyRates | SetRatesErrorCode::RatesFull => Code::TooManyRates,
        SetRatesErrorCode::InvalidPrefix => Code::InvalidPrefix,
        SetRatesErrorCode::RepeatedRate => Code::RepeatedRate,
    };
    let error = |error: SetRatesError| RemoveRatesError {
        message: error.message,
        path: error.path,
        code: code(error.code),
    };
    set_errors(rejection).into_iter().map(error).collect()
}

fn import_payload(outcome: Result<Imported, ImportRejection>) -> ImportRatesPayload {
    use ImportRatesErrorCode as Code;
    let rejection = match outcome {
        Ok(Imported { card, rates }) => {
            return ImportRatesPayload {
                rate_card: Some(RateCard(card)),
                imported_count: i32::try_from(rates).unwrap_or(i32::MAX),
                faulty_lines: Vec::new(),
                user_errors: Vec::new(),
            };
        }
        Err(rejection) => rejection,
    };
    let (code, path) = match &rejection {
        ImportRejection::NoSuchCard
        | ImportRejection::InvalidName
        | ImportRejection::OtherCurrency(_) => (Code::RateCardNotFound, "rateCardId"),
        ImportRejection::Full => (Code::RatesFull, "csv"),
        ImportRejection::TooLong | ImportRejection::List(PriceListFault::TooManyLines) => {
            (Code::ListTooLong, "csv")
        }
        ImportRejection::List(PriceListFault::Lines(_)) => (Code::FaultyLines, "csv"),
        ImportRejection::List(_) => (Code::InvalidList, "csv"),
    };
    let user_errors = vec![ImportRatesError::new(code, &[path], &rejection)];
    let faulty_lines = match rejection {
        ImportRejection::List(PriceListFault::Lines(faults)) => faults.first,
        _ => Vec::new(),
    };
    ImportRatesPayload {
        rate_card: None,
        imported_count: 0,
        faulty_lines: faulty_lines.into_iter().map(Into::into).collect(),
        user_errors,
    }
}

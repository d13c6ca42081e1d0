//! Whose message of a campaign failed for a reason that may have passed.

use entity::enums::MessageStatus;
use entity::ids::CampaignId;
use sea_orm::sea_query::Expr;

use crate::carriers::errors::{ErrorClass, descriptions};
use crate::db::Store;

/// What of a campaign is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retried {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Messages of unknown fate as well: they may have arrived.
    pub includes_unknown: bool,
}

/// The condition on `contact` that its message of the campaign expired, or failed, was rejected or
/// did not arrive with an error of class TEMPORARY. Served by the index of campaigns, one look a
/// contact.
pub fn is_worth_retrying(store: Store, retried: Retried) -> Expr {
    use MessageStatus::{Expired, ExpiredHere, Failed, Rejected, Undelivered, Unknown};
    let sign = match store {
        Store::Sqlite => "?",
        Store::Postgres => "$",
    };
    let list = |statuses: &[MessageStatus]| {
        let codes = statuses.iter().map(|status| status.code().to_string());
        codes.collect::<Vec<_>>().join(", ")
    };
    let passed: &[MessageStatus] = match retried.includes_unknown {
        true => &[Expired, ExpiredHere, Unknown],
        false => &[Expired, ExpiredHere],
    };
    let temporary = descriptions().iter().filter(|it| it.class == ErrorClass::Temporary);
    let codes: Vec<String> = temporary.map(|it| format!("'{}'", it.code)).collect();
    let text = format!(
        "EXISTS (SELECT 1 FROM message m WHERE m.account_id = contact.account_id \
         AND m.campaign_id = {sign} AND m.contact_id = contact.id AND (m.status IN ({passed}) \
         OR (m.status IN ({failed}) AND m.error_code IN ({codes}))))",
        passed = list(passed),
        failed = list(&[Undelivered, Rejected, Failed]),
        codes = codes.join(", "),
    );
    Expr::cust_with_values(text, [retried.campaign_id.0])
}

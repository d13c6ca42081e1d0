//! The lines of Stripe's own books in a stretch of time, for reconciliation. Source:
//! docs.stripe.com/api/balance_transactions/list.

use std::collections::BTreeMap;

use entity::time::UnixMillis;
use serde::Serialize;
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::api::Api;
use super::objects;
use crate::payments::api::ApiError;
use crate::payments::document::{Object, need};
use crate::payments::facts::{BalanceTransactionFacts, IdForm, ObjectId};
use crate::payments::processor::Unreadable;

/// Lines on one page: as many as Stripe gives.
const PAGE_ROWS: u32 = 100;
/// Pages read of one stretch: 50,000 lines.
const PAGES_MAX: usize = 500;
/// Of whatever moved the money.
const SOURCE: IdForm = IdForm { prefixes: &[""], marks: "_" };

/// A line of the books.
pub(in crate::payments) struct Line {
    pub(in crate::payments) facts: BalanceTransactionFacts,
    pub(in crate::payments) made_at: UnixMillis,
    /// The charge, refund, dispute or payout that it is about.
    pub(in crate::payments) source: Option<ObjectId>,
}

#[derive(Serialize)]
struct LinesQuery<'a> {
    limit: u32,
    created: BTreeMap<&'a str, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<&'a str>,
}

impl Api {
    /// All lines from a time until before another.
    ///
    /// # Errors
    /// [`ApiError`]; also if there are more than are read, since half of them prove nothing.
    pub(in crate::payments) async fn lines(
        &self,
        from: UnixMillis,
        until: UnixMillis,
    ) -> Result<Vec<Line>, ApiError> {
        let created =
            BTreeMap::from([("gte", from.0.div_euclid(1_000)), ("lt", until.0.div_euclid(1_000))]);
        let mut lines = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let query = LinesQuery {
                limit: PAGE_ROWS,
                created: created.clone(),
                starting_after: after.as_deref(),
            };
            let request =
                RequestBuilder::new(StripeMethod::Get, "/balance_transactions").query(&query);
            let answer = self.call(request, None).await?;
            let rows = answer.root().objects("/data")?;
            for row in &rows {
                lines.push(line(*row)?);
            }
            after = match (answer.root().truth("/has_more")?, rows.last()) {
                (Some(true), Some(row)) => row.text("/id")?.map(str::to_owned),
                _ => None,
            };
            if after.is_none() {
                return Ok(lines);
            }
        }
        Err(ApiError::TooMuch)
    }
}

fn line(row: Object<'_>) -> Result<Line, Unreadable> {
    Ok(Line {
        facts: objects::balance_transaction(row)?,
        made_at: need(row.seconds("/created")?)?,
        source: row.id("/source", SOURCE)?,
    })
}

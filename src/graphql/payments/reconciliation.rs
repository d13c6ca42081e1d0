//! Comparisons with the processors' books, in the contract. Behaviour: `crate::payments`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime as ChronoTime, NaiveDate};
use entity::ids::ReconciliationReportId;
use entity::reconciliation_report::Model;
use entity::{enums, reconciliation_difference};

use super::PaymentProcessor;
use super::processors::ProcessorRow;
use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::connection::{Connection, PageArguments, cost, wants_total_count};
use crate::graphql::errors::Answer;
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::loaders::load;
use crate::graphql::money::Money;
use crate::graphql::scalars::{Cursor, Date, DateTime};
use crate::payments;
use crate::types::cursor::CursorKind;

/// Which reports are wanted; all conditions hold.
#[derive(InputObject, Default)]
pub struct ReconciliationReportFilter {
    /// Only of the processor with this id, `proc_…`; absent or null: of all.
    pub processor_id: Option<ID>,
    /// Only of this day of UTC; absent or null: of all.
    pub date: Option<Date>,
    /// True: only with differences; false: only without; absent or null: both.
    pub has_differences: Option<bool>,
}

impl ReconciliationReportFilter {
    fn parse(self) -> Answer<payments::ReportFilter> {
        Ok(payments::ReportFilter {
            processor_id: self.processor_id.as_ref().map(parse_id).transpose()?,
            day: self.date.map(|date| day_of(date.0)),
            differs: self.has_differences,
        })
    }
}

fn day_of(date: NaiveDate) -> i32 {
    i32::try_from((date - ChronoTime::UNIX_EPOCH.date_naive()).num_days()).unwrap_or(i32::MAX)
}

/// In what our books and a processor's differ.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::DifferenceKind", name = "ReconciliationDifferenceKind")]
pub enum DifferenceKind {
    /// The processor moved money that our books know nothing of.
    MissingHere,
    /// Our books moved money that the processor knows nothing of.
    MissingThere,
    /// Both moved it, but not as much.
    Amount,
    /// Both know the fee, but not as much.
    Fee,
    /// The processor moved it twice.
    Duplicate,
    /// Both have it alike, but more than a day apart.
    Stale,
}

/// A movement of money in which our books and a processor's differ.
#[derive(SimpleObject)]
pub struct ReconciliationDifference {
    /// In what.
    kind: DifferenceKind,
    /// What moved the money: its kind and the processor's id of it, as `capture:pi_…`, `refund:re_…`,
    /// `fee:txn_…`. At most 300 characters.
    subject: String,
    /// By how much our books say that the processor holds more for us, or less where negative; null:
    /// our books have nothing of it.
    here: Option<Money>,
    /// The same by the processor's books.
    there: Option<Money>,
}

/// A day of one currency at a payment processor: what our books say that it held and moved, and
/// where its own books differ. `opening + gross − fees − refunds − disputes + reinstated − payouts`
/// is `closing`. Made two hours after the day's end (UTC); while it has differences it is made again
/// each day for a week.
pub struct ReconciliationReport(pub Model);

impl ReconciliationReport {
    fn money(&self, micros: i64) -> Answer<Money> {
        Money::stored(micros, &self.0.currency)
    }

    pub(crate) async fn load(
        context: &Context<'_>,
        id: ReconciliationReportId,
    ) -> Answer<Option<Self>> {
        Ok(payments::report(call(context)?, id).await?.map(Self))
    }
}

/// A day of one currency at a payment processor, compared with its own books.
#[Object]
impl ReconciliationReport {
    /// The report's id, `recon_…`; the same when it is made again.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Whose books.
    async fn processor(&self, context: &Context<'_>) -> Answer<Option<PaymentProcessor>> {
        Ok(load(context, ProcessorRow(self.0.endpoint_id)).await?.map(PaymentProcessor))
    }

    /// The day, of UTC.
    async fn date(&self) -> Answer<Date> {
        let date = ChronoTime::from_timestamp(i64::from(self.0.day) * 86_400, 0);
        let date =
            date.ok_or_else(|| Failed::internal(format!("a report of day {}", self.0.day)))?;
        Ok(Date(date.date_naive()))
    }

    /// What the processor held for us when the day began, by our books.
    async fn opening(&self) -> Answer<Money> {
        self.money(self.0.opening_micros)
    }

    /// What it collected.
    async fn gross(&self) -> Answer<Money> {
        self.money(self.0.gross_micros)
    }

    /// What it kept as its fees.
    async fn fees(&self) -> Answer<Money> {
        self.money(self.0.fees_micros)
    }

    /// What it gave back to payers.
    async fn refunds(&self) -> Answer<Money> {
        self.money(self.0.refunds_micros)
    }

    /// What was withdrawn for disputes.
    async fn disputes(&self) -> Answer<Money> {
        self.money(self.0.disputes_micros)
    }

    /// What came back of disputes.
    async fn reinstated(&self) -> Answer<Money> {
        self.money(self.0.reinstated_micros)
    }

    /// What it sent to our bank.
    async fn payouts(&self) -> Answer<Money> {
        self.money(self.0.payouts_micros)
    }

    /// What the processor held for us when the day ended, by our books.
    async fn closing(&self) -> Answer<Money> {
        self.money(self.0.closing_micros)
    }

    /// Whether the processor's own books were read. False for processors that cannot be asked for
    /// them (all but Stripe), or without a key of their API: then nothing is matched and nothing
    /// differs.
    async fn is_compared(&self) -> bool {
        self.0.is_compared
    }

    /// How many movements of the day stand in both books alike.
    async fn matched_count(&self) -> i32 {
        self.0.matched
    }

    /// How many differ.
    async fn difference_count(&self) -> i32 {
        self.0.differences
    }

    /// Those that differ, by `subject`; the first, at most 1,000.
    #[graphql(complexity = "10 * child_complexity")]
    async fn differences(&self, context: &Context<'_>) -> Answer<Vec<ReconciliationDifference>> {
        let rows = payments::differences(call(context)?, self.0.id).await?;
        let shown = |row: reconciliation_difference::Model| -> Answer<ReconciliationDifference> {
            let money = |micros: Option<i64>| micros.map(|micros| self.money(micros)).transpose();
            Ok(ReconciliationDifference {
                kind: row.kind.into(),
                here: money(row.here_micros)?,
                there: money(row.there_micros)?,
                subject: row.subject,
            })
        };
        rows.into_iter().map(shown).collect()
    }

    /// Grows by one whenever the report is made again.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made last.
    async fn made_at(&self) -> DateTime {
        self.0.made_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct ReconciliationQuery;

#[Object]
impl ReconciliationQuery {
    /// The daily comparisons of our books with the payment processors', the newest first. For the
    /// operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn reconciliation_reports(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which; absent or null: all.")] filter: Option<ReconciliationReportFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<ReconciliationReport>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::ReconciliationReports)?;
        let filter = filter.unwrap_or_default().parse()?;
        let page = payments::reports(ctx, filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(payments::count_reports(ctx, filter).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, ReconciliationReport(row)));
        Ok(Connection::new(CursorKind::ReconciliationReports, page, total))
    }
}

//! Each day of each currency at Stripe: what our books say that the processor held and moved, and
//! where its own books say otherwise.
//!
//! opening + gross − fees − refunds − disputes + reinstated − payouts = closing, all by our ledger,
//! so closing is the clearing books' balance at the end of the day. Line by line it is then compared
//! with the processor's balance transactions ([`compare`]); of processors whose books cannot be asked
//! for, only our own figures are reported. A day is reported two hours after its end (UTC), once;
//! while it has differences it is made again daily for a week.

mod compare;
mod queries;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use entity::enums::{EventKind, ProcessorKind, TransferCode};
use entity::ids::ReconciliationReportId;
use entity::time::UnixMillis;
use entity::{processor_endpoint, reconciliation_report};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, Set};

use self::compare::{Comparison, Movement, Sides, compare, lonely};
use self::store::{Entry, Owners};
use super::api::Unasked;
use super::endpoints::{api_key, enabled};
use super::facts::{BalanceTransactionKind, PaymentFacts};
use super::fold::operator;
use super::stripe::api::Api;
use super::stripe::lines::Line;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::events::{self, NewEvent, Topic};

pub use queries::{ReportFilter, count_reports, differences, report, reports};

/// Differences of one report that are kept; the report counts all.
pub const DIFFERENCES_MAX: usize = 1_000;
/// Days back that a processor which was never reported on begins at: a month.
const DAYS_BACK_MAX: i32 = 31;
/// Days of one processor reported by one run.
const DAYS_MAX: usize = 10;
const DAY_MS: i64 = 24 * 3_600_000;
/// How long after its end a day is reported: webhooks and sweeps have come by then.
const SETTLED_MS: i64 = 2 * 3_600_000;
/// How long a report with differences stands before it is made again.
const ANEW_MS: i64 = DAY_MS;
/// For how many days it is made again.
const ANEW_DAYS_MAX: i32 = 7;

/// Makes the reports that are due; returns how many. Idempotent.
///
/// # Errors
/// The store's own. A processor that does not answer is asked again by the next run.
pub async fn reconcile(ctx: &Ctx) -> Result<u64, Failed> {
    let mut made = 0;
    for endpoint in enabled(ctx).await? {
        match reconcile_endpoint(ctx, &endpoint).await {
            Ok(count) => made += count,
            Err(Unasked::Store(failed)) => return Err(failed),
            Err(Unasked::Api(error)) => {
                tracing::warn!(processor.id = %endpoint.id, %error, "cannot reconcile a processor");
            }
        }
    }
    Ok(made)
}

async fn reconcile_endpoint(
    ctx: &Ctx,
    endpoint: &processor_endpoint::Model,
) -> Result<u64, Unasked> {
    let api = match (endpoint.kind, api_key(ctx, endpoint)?) {
        (ProcessorKind::Stripe, Some(key)) => Some(Api::new(&key, endpoint.base_url.as_deref())?),
        _ => None,
    };
    let now = ctx.clock.now();
    let last = day_of(now.plus_ms(-SETTLED_MS)) - 1;
    let first = endpoint.reconciled_day.map_or_else(
        || day_of(endpoint.created_at_ms).max(last - DAYS_BACK_MAX + 1),
        |day| day + 1,
    );
    let mut days: Vec<i32> = (first..=last).take(DAYS_MAX).collect();
    // Without the processor's books a report would only lose what it found.
    if api.is_some() {
        let (since, before) = (last - ANEW_DAYS_MAX, now.plus_ms(-ANEW_MS));
        days.extend(queries::days_to_make_anew(ctx, endpoint.id, since, before).await?);
    }
    let mut made = 0;
    for day in days {
        made += make(ctx, endpoint, api.as_ref(), day).await?;
    }
    Ok(made)
}

/// The day that a time falls on, in UTC.
fn day_of(time: UnixMillis) -> i32 {
    i32::try_from(time.0.div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

fn start_of(day: i32) -> UnixMillis {
    UnixMillis(i64::from(day) * DAY_MS)
}

/// Makes the reports of a day, one for each currency.
async fn make(
    ctx: &Ctx,
    endpoint: &processor_endpoint::Model,
    api: Option<&Api>,
    day: i32,
) -> Result<u64, Unasked> {
    let window = (start_of(day - 1), start_of(day + 2));
    let there = match api {
        Some(api) => Some(api.lines(window.0, window.1).await?),
        None => None,
    };
    let lines = there.as_deref().unwrap_or_default();
    let day_bounds = (start_of(day), start_of(day + 1));
    let here = store::entries(ctx, endpoint.id, window).await.map_err(Failed::from)?;
    let opening = store::held_before(ctx, endpoint.id, day_bounds.0).await.map_err(Failed::from)?;
    let owners = Owners::read(ctx, endpoint.id, &objects(&here, lines)).await?;
    let payouts =
        store::payouts(ctx, endpoint.id, &payout_ids(lines)).await.map_err(Failed::from)?;
    let mut currencies: BTreeSet<String> = opening.keys().cloned().collect();
    currencies.extend(here.iter().map(|entry| entry.currency.clone()));
    currencies.extend(lines.iter().map(|line| line.facts.currency.as_str().to_owned()));
    let mut reports = Vec::new();
    for currency in currencies {
        let own: Vec<&Entry> = here.iter().filter(|it| it.currency == currency).collect();
        let theirs: Vec<&Line> =
            lines.iter().filter(|it| it.facts.currency.as_str() == currency).collect();
        let ours: Vec<Movement> = own.iter().map(|it| it.movement.clone()).collect();
        let moved: Vec<Movement> =
            theirs.iter().flat_map(|line| movements(line, &owners)).collect();
        let (only_here, only_there) = lonely(&ours, &moved);
        let ever_here = ever_here(&only_there, &owners, &payouts);
        let ever_there = ever_there(&only_here, &owners);
        let sides = Sides {
            here: &ours,
            there: &moved,
            ever_here: &ever_here,
            ever_there: &ever_there,
            day: day_bounds,
        };
        let comparison = match there {
            Some(_) => compare(&sides),
            None => Comparison::default(),
        };
        let opening_micros = opening.get(&currency).copied().unwrap_or(0);
        let mut row = figures(opening_micros, &own, day_bounds);
        let is_idle = !own.iter().any(|it| contains(day_bounds, it.movement.at));
        if is_idle && comparison == Comparison::default() && opening_micros == 0 {
            continue;
        }
        row.id = ctx.ids.next();
        row.endpoint_id = endpoint.id;
        row.currency = currency;
        row.day = day;
        row.made_at_ms = ctx.clock.now();
        row.is_compared = there.is_some();
        row.matched = comparison.matched;
        row.differences = i32::try_from(comparison.differences.len()).unwrap_or(i32::MAX);
        reports.push((row, comparison));
    }
    Ok(keep(ctx, endpoint, day, reports).await?)
}

/// The report's figures, by our books.
fn figures(
    opening_micros: i64,
    entries: &[&Entry],
    day_bounds: (UnixMillis, UnixMillis),
) -> reconciliation_report::Model {
    let mut row = reconciliation_report::Model {
        id: ReconciliationReportId(uuid::Uuid::nil()),
        endpoint_id: entity::ids::ProcessorId(uuid::Uuid::nil()),
        currency: String::new(),
        day: 0,
        opening_micros,
        gross_micros: 0,
        fees_micros: 0,
        refunds_micros: 0,
        disputes_micros: 0,
        reinstated_micros: 0,
        payouts_micros: 0,
        closing_micros: opening_micros,
        is_compared: false,
        matched: 0,
        differences: 0,
        version: 1,
        made_at_ms: day_bounds.0,
    };
    for entry in entries.iter().filter(|it| contains(day_bounds, it.movement.at)) {
        let micros = entry.movement.amount_micros;
        row.closing_micros += micros;
        match term(entry) {
            TransferCode::Refund => row.refunds_micros -= micros,
            TransferCode::DisputeWithdrawn => row.disputes_micros -= micros,
            TransferCode::DisputeReinstated => row.reinstated_micros += micros,
            TransferCode::ProcessorFee => row.fees_micros -= micros,
            TransferCode::Payout => row.payouts_micros -= micros,
            _ => row.gross_micros += micros,
        }
    }
    row
}

fn contains((from, until): (UnixMillis, UnixMillis), time: UnixMillis) -> bool {
    time >= from && time < until
}

/// What an entry counts as. What leaves the suspense counts as what it was.
fn term(entry: &Entry) -> TransferCode {
    match entry.code {
        TransferCode::SuspenseCleared => super::books::code_of(&entry.movement.subject),
        code => code,
    }
}

fn objects(here: &[Entry], there: &[Line]) -> BTreeSet<String> {
    let own = here.iter().filter_map(|it| it.movement.subject.split_once(':'));
    let own = own.map(|(_, object)| object.to_owned());
    let sources = there.iter().filter_map(|line| line.source.as_ref());
    own.chain(sources.map(|id| id.as_str().to_owned())).collect()
}

fn payout_ids(there: &[Line]) -> BTreeSet<String> {
    let sources = there.iter().filter_map(|line| line.source.as_ref());
    sources.map(|id| id.as_str().to_owned()).filter(|id| id.starts_with("po_")).collect()
}

/// What a line moved, in the words of our books: its amount, and its fee.
fn movements(line: &Line, owners: &Owners) -> Vec<Movement> {
    use BalanceTransactionKind as Kind;
    let facts = &line.facts;
    let source = line.source.as_ref().map_or(facts.id.as_str(), |id| id.as_str());
    let (subject, is_reversal) = match facts.kind {
        Kind::Charge => (format!("capture:{}", intent_of(source, owners)), false),
        Kind::Refund => (format!("refund:{source}"), false),
        Kind::RefundFailure => (format!("refund:{source}"), true),
        Kind::Dispute => (format!("withdrawn:{source}"), false),
        Kind::DisputeReversal => (format!("reinstated:{source}"), false),
        Kind::Payout => (format!("payout:{source}"), false),
        Kind::PayoutReversal => (format!("payout:{source}"), true),
        Kind::Fee | Kind::Other => (format!("line:{}", facts.id.as_str()), false),
    };
    let movement =
        |subject, amount_micros| Movement { subject, amount_micros, at: line.made_at, is_reversal };
    let mut movements = vec![movement(subject, facts.gross_micros)];
    if facts.fee_micros != 0 {
        movements.push(movement(format!("fee:{}", facts.id.as_str()), -facts.fee_micros));
    }
    movements
}

/// The intent that a charge belongs to, under which our books have it.
fn intent_of(charge: &str, owners: &Owners) -> String {
    let known = owners.of(charge).and_then(|(facts, _)| {
        facts
            .intents
            .iter()
            .find(|(_, intent)| intent.attempts.keys().any(|id| id.as_str() == charge))
    });
    known.map_or(charge, |(id, _)| id.as_str()).to_owned()
}

/// What our books have at any time of what the processor alone has in these days.
fn ever_here(
    subjects: &BTreeSet<String>,
    owners: &Owners,
    payouts: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    let mut known = BTreeMap::new();
    for subject in subjects {
        let Some((what, object)) = subject.split_once(':') else { continue };
        let posted = match what {
            "payout" => payouts.get(object).copied(),
            _ => owners
                .of(object)
                .and_then(|(_, posted)| posted.get(subject))
                .map(|it| it.amount_micros),
        };
        let sign = if matches!(what, "capture" | "reinstated") { 1 } else { -1 };
        known.extend(posted.map(|micros| (subject.clone(), sign * micros)));
    }
    known
}

/// What the processor is known to have at any time of what we alone have in these days.
fn ever_there(subjects: &BTreeSet<String>, owners: &Owners) -> BTreeMap<String, i64> {
    use BalanceTransactionKind as Kind;
    let mut known = BTreeMap::new();
    for subject in subjects {
        let Some((what, object)) = subject.split_once(':') else { continue };
        if what == "fee" {
            let line = owners.of(object).and_then(|(facts, _)| {
                let mut lines = facts.balance_transactions.values().flatten();
                lines.find(|line| line.id.as_str() == object)
            });
            known.extend(line.map(|line| (subject.clone(), -line.fee_micros)));
            continue;
        }
        let kind = match what {
            "capture" => Kind::Charge,
            "refund" => Kind::Refund,
            "withdrawn" => Kind::Dispute,
            "reinstated" => Kind::DisputeReversal,
            _ => continue,
        };
        let Some((facts, posted)) = owners.of(object) else { continue };
        let Some(own) = posted.get(subject) else { continue };
        let own = if matches!(what, "capture" | "reinstated") {
            own.amount_micros
        } else {
            -own.amount_micros
        };
        if lines_of(facts, kind).any(|gross| gross == own) {
            known.insert(subject.clone(), own);
        }
    }
    known
}

fn lines_of(facts: &PaymentFacts, kind: BalanceTransactionKind) -> impl Iterator<Item = i64> {
    let lines = facts.balance_transactions.values().flatten();
    lines.filter(move |line| line.kind == kind).map(|line| line.gross_micros)
}

/// Keeps a day's reports in place of those before them, and tells the operator what differs.
async fn keep(
    ctx: &Ctx,
    endpoint: &processor_endpoint::Model,
    day: i32,
    reports: Vec<(reconciliation_report::Model, Comparison)>,
) -> Result<u64, Failed> {
    let operator_id = operator(ctx).await?;
    let reports = &reports;
    let told = ctx
        .db
        .write(|tx| async move {
            let mut news = Vec::new();
            for (report, comparison) in reports {
                let before = reconciliation_report::Entity::find()
                    .filter(reconciliation_report::Column::EndpointId.eq(endpoint.id))
                    .filter(reconciliation_report::Column::Day.eq(day))
                    .filter(reconciliation_report::Column::Currency.eq(&report.currency))
                    .one(&*tx)
                    .await?;
                let mut row = report.clone();
                let differed = before.as_ref().map_or(0, |before| before.differences);
                if let Some(before) = before {
                    (row.id, row.version) = (before.id, before.version + 1);
                }
                store::replace(&tx, &row, comparison).await?;
                if row.differences != 0 && row.differences != differed {
                    news.push(NewEvent {
                        account_id: operator_id,
                        kind: EventKind::ReconciliationDiffers,
                        subject_id: row.id.0,
                        status: 0,
                        version: row.version,
                        error_code: None,
                        occurred_at: row.made_at_ms,
                    });
                }
            }
            let change = processor_endpoint::ActiveModel {
                reconciled_day: Set(Some(day)),
                ..Default::default()
            };
            // A day that is made anew is no step forward.
            let is_ahead = Condition::any()
                .add(processor_endpoint::Column::ReconciledDay.is_null())
                .add(processor_endpoint::Column::ReconciledDay.lt(day));
            processor_endpoint::Entity::update_many()
                .set(change)
                .filter(processor_endpoint::Column::Id.eq(endpoint.id))
                .filter(is_ahead)
                .exec(&*tx)
                .await?;
            let has_news = !news.is_empty();
            events::append(&tx, news).await?;
            Ok::<_, sea_orm::DbErr>(has_news)
        })
        .await?;
    if told {
        ctx.doorbell.ring(Topic::Events(operator_id));
    }
    Ok(reports.len() as u64)
}

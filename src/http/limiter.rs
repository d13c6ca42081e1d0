//! What callers may still spend and open on this node, and how an operation is charged: before it
//! runs, once the schema knows what it costs. `budget` counts points, `open` streams.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ErrorExtensionValues, ServerError, ValidationResult, Value, Variables};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::budget::{Budgets, Payers, Receipt};
use super::fault::{ErrorCode, Fault};
use super::open::{Open, OpenCounts};
use super::settings::EdgeSettings;
use crate::sys::Clock;

/// What is refused for its form or its credential costs a point: it took reading.
const REFUSED_POINTS: u64 = 1;

/// What a client waits that has as many streams as it may: nobody knows when one ends.
const STREAMS_RETRY_AFTER_MS: u64 = 10_000;

/// The limits of this node, and what was used of them. Cheap to clone.
#[derive(Clone)]
pub struct Limiter {
    budgets: Arc<Budgets>,
    streams: OpenCounts,
}

impl Limiter {
    /// Nothing is used.
    pub fn new(clock: Clock, settings: &EdgeSettings) -> Self {
        Self {
            budgets: Arc::new(Budgets::new(clock, settings.rates)),
            streams: OpenCounts::new(settings.limits.streams_per_account_max),
        }
    }
}

/// Charges one operation.
pub(super) struct Meter {
    limiter: Limiter,
    payers: Payers,
    /// Boxed and taken out when the answer begins: a stream holds its meter for as long as it runs.
    receipt: Mutex<Option<Box<Receipt>>>,
}

impl Meter {
    pub(super) fn new(limiter: &Limiter, payers: Payers) -> Arc<Self> {
        Arc::new(Self { limiter: limiter.clone(), payers, receipt: Mutex::default() })
    }

    /// Takes `points`, or says how many milliseconds to wait.
    fn charge(&self, points: u64) -> Result<(), u64> {
        let receipt = self.limiter.budgets.charge(self.payers, points);
        let outcome = receipt.retry_after_ms.map_or(Ok(()), Err);
        *self.receipt.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(receipt));
        outcome
    }

    /// `fault`, which cost its reading; or, of those who have nothing left, that they are too fast.
    pub(super) fn refused(&self, fault: Fault) -> Fault {
        match self.charge(REFUSED_POINTS) {
            Ok(()) => fault,
            Err(retry_after_ms) => too_fast(retry_after_ms),
        }
    }

    /// Charges `points` for a file, or says when to come again.
    pub(super) fn file(&self, points: u64) -> Result<(), Fault> {
        self.charge(points).map_err(too_fast)
    }

    /// Counts a stream as open until it is dropped.
    ///
    /// # Errors
    /// 429, if there are as many as there may be.
    pub(super) fn open_stream(&self) -> Result<Open, Fault> {
        self.limiter.streams.open(self.payers.holder()).ok_or_else(|| {
            let message = "too many streams are open: end one, or wait until one ends";
            Fault::new(ErrorCode::RateLimited, StatusCode::TOO_MANY_REQUESTS, message)
                .retry_after_ms(STREAMS_RETRY_AFTER_MS)
        })
    }

    /// Points of the operation and points that are left, once it was charged.
    pub(super) fn cost(&self) -> Option<(u64, u64)> {
        let receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner);
        receipt.as_ref().map(|receipt| (receipt.requested, receipt.remaining()))
    }

    /// Tells what is left, in the headers of the answer.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(receipt) = receipt else { return };
        for (name, text) in [
            (HeaderName::from_static("ratelimit"), receipt.rate_limit()),
            (HeaderName::from_static("ratelimit-policy"), receipt.policy()),
        ] {
            let value = HeaderValue::try_from(text).expect("numbers and names are visible ASCII");
            headers.insert(name, value);
        }
    }
}

fn too_fast(retry_after_ms: u64) -> Fault {
    let status = StatusCode::TOO_MANY_REQUESTS;
    Fault::new(ErrorCode::RateLimited, status, TOO_FAST).retry_after_ms(retry_after_ms)
}

const TOO_FAST: &str = "too much was asked for in a short time, try again later";

/// What [`Metering`] finds in an operation's data.
pub(super) struct Bill {
    pub(super) meter: Arc<Meter>,
    /// Items of the lists that the operation brings along.
    pub(super) items: usize,
}

/// An extension that every schema behind the edge has: charges an operation its complexity, and a
/// point for each item of a list in its variables and arguments, before it runs. An operation of no
/// complexity (`{ __typename }`) costs a point too, and one that does not fit the schema.
pub struct Metering;

impl ExtensionFactory for Metering {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Charging)
    }
}

struct Charging;

#[async_trait]
impl Extension for Charging {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let validated = next.run(context).await;
        let Some(bill) = context.data_opt::<Bill>() else { return validated };
        let points = match &validated {
            Ok(result) => (result.complexity.saturating_add(bill.items) as u64).max(1),
            Err(_) => REFUSED_POINTS,
        };
        match bill.meter.charge(points) {
            Ok(()) => validated,
            Err(retry_after_ms) => {
                let mut extensions = ErrorExtensionValues::default();
                extensions.set("code", ErrorCode::RateLimited.as_str());
                extensions.set("retryAfterMs", retry_after_ms);
                let error = ServerError::new(TOO_FAST, None);
                Err(vec![ServerError { extensions: Some(extensions), ..error }])
            }
        }
    }
}

/// Items of all lists in the variables, used or not, and in all arguments. The document is within
/// its limits: they bound the recursion.
pub(super) fn count_items(tree: &ExecutableDocument, variables: &Variables) -> usize {
    let given: usize = variables.values().map(items_of).sum();
    let operations = tree.operations.iter().map(|(_, operation)| &operation.node.selection_set);
    let fragments = tree.fragments.values().map(|fragment| &fragment.node.selection_set);
    given + operations.chain(fragments).map(|set| items_in_arguments(&set.node)).sum::<usize>()
}

fn items_in_arguments(set: &SelectionSet) -> usize {
    let counts = set.items.iter().map(|selection| match &selection.node {
        Selection::Field(field) => {
            let arguments = field.node.arguments.iter().map(|(_, argument)| {
                // Variables are counted by themselves.
                let value = argument.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null));
                value.map_or(0, |value| items_of(&value))
            });
            arguments.sum::<usize>() + items_in_arguments(&field.node.selection_set.node)
        }
        Selection::InlineFragment(inline) => items_in_arguments(&inline.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    });
    counts.sum()
}

fn items_of(value: &Value) -> usize {
    match value {
        Value::List(items) => items.len() + items.iter().map(items_of).sum::<usize>(),
        Value::Object(fields) => fields.values().map(items_of).sum(),
        Value::Null
        | Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_counted_wherever_lists_come_from() {
        for (document, variables, items) in [
            ("{a}", json!({}), 0),
            ("{a(b: [1, 2, 3])}", json!({}), 3),
            ("{a(b: {c: [{d: 1}, {d: 2}]}) e(f: [1])}", json!({}), 3),
            ("{a(b: [[1, 2], [3]])}", json!({}), 5),
            ("query($x: [Int]) {a(b: $x, c: [1])}", json!({ "x": [1, 2] }), 3),
            ("query($x: [Int]) {a(b: {c: $x, d: [1, 2]})}", json!({ "x": [1] }), 3),
            ("{a}", json!({ "unused": [1, 2] }), 2),
            ("{...F} fragment F on Q {a {... on A {b(c: [1, 2])}}}", json!({}), 2),
            ("{a(b: \"[1, 2]\")}", json!({ "x": { "y": "[]" } }), 0),
        ] {
            let tree = parse_query(document).unwrap();
            let variables = Variables::from_json(variables);
            assert_eq!(count_items(&tree, &variables), items, "{document}");
        }
    }
}

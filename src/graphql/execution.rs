//! What the executor leaves to its schema, as an extension of it: batched reads run when a request
//! has nothing else to do, and an error puts null where the specification wants it.
//!
//! async-graphql 7.2 leaves a failed field out of its object, whether it may be null or not. The
//! specification ("Handling Execution Errors") wants null in its place, and where null may not
//! stand, null in the place of the next object above that may be null.

use std::collections::HashSet;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo,
};
use async_graphql::{QueryPathNode, QueryPathSegment, Response, ServerError, ServerResult, Value};
use async_trait::async_trait;
use futures::task::AtomicWaker;

use super::loaders::Loaders;

/// Makes the extension, one a request.
pub struct Execution;

impl ExtensionFactory for Execution {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Running::default())
    }
}

/// What failed in the operation that runs, or in the event that is being told.
#[derive(Default)]
struct Running {
    /// Whether `failures` holds anything: so that a request without errors pays for no lock.
    has_failed: AtomicBool,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    errors: Vec<ServerError>,
    /// The fields that have null in their value, by path.
    null_in: HashSet<Vec<String>>,
    /// The places that a null below them makes null, by path.
    null_places: HashSet<Vec<String>>,
    /// Whether the whole answer is null.
    is_root_null: bool,
}

impl Running {
    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that there is null at `place` where there would be a value.
    fn record(&self, place: &QueryPathNode<'_>, error: Option<ServerError>) {
        let mut failures = self.failures();
        failures.errors.extend(error);
        failures.null_in.insert(field_of(place).to_string_vec());
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// Records that null may not stand at `place`, so that what it is in becomes null.
    fn pass_up(&self, place: &QueryPathNode<'_>) {
        let mut failures = self.failures();
        match place.parent {
            Some(above) => {
                failures.null_places.insert(above.to_string_vec());
            }
            None => failures.is_root_null = true,
        }
    }

    /// Whether something below made `place` null.
    fn is_to_be_null(&self, place: &QueryPathNode<'_>) -> bool {
        self.has_failed.load(Ordering::Relaxed)
            && self.failures().null_places.remove(&place.to_string_vec())
    }

    /// Whether there is null in the value of the field at `place`, or in its place.
    fn has_null_in(&self, place: &QueryPathNode<'_>) -> bool {
        self.has_failed.load(Ordering::Relaxed)
            && self.failures().null_in.remove(&place.to_string_vec())
    }
}

/// The field that an item of a list is in; the place itself if it is a field.
fn field_of<'a>(place: &'a QueryPathNode<'a>) -> &'a QueryPathNode<'a> {
    let mut place = place;
    while let (QueryPathSegment::Index(_), Some(above)) = (&place.segment, place.parent) {
        place = above;
    }
    place
}

/// The value with null only where its type allows it; `None` if that is not even its own place.
fn fitted(value: Value, ty: &str) -> Option<Value> {
    let (ty, may_be_null) = match ty.strip_suffix('!') {
        Some(ty) => (ty, false),
        None => (ty, true),
    };
    let item = ty.strip_prefix('[').and_then(|ty| ty.strip_suffix(']'));
    let fit = match (value, item) {
        (Value::List(items), Some(item)) => {
            let items: Option<Vec<_>> = items.into_iter().map(|it| fitted(it, item)).collect();
            items.map_or(Value::Null, Value::List)
        }
        (value, _) => value,
    };
    (may_be_null || fit != Value::Null).then_some(fit)
}

#[async_trait]
impl Extension for Running {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let executing = pin!(next.run(context, operation_name));
        let mut response = match context.data_opt::<Loaders>() {
            Some(loaders) => Turns::new(executing, loaders).await,
            None => executing.await,
        };
        if self.has_failed.swap(false, Ordering::Relaxed) {
            let failures = std::mem::take(&mut *self.failures());
            response.errors.extend(failures.errors);
            if failures.is_root_null {
                response.data = Value::Null;
            }
        }
        response
    }

    /// Called for each field and for each item of a list.
    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let place = *info.path_node;
        // Of a list's item the library tells no true type: its field looks at the whole list.
        let ty = match place.segment {
            QueryPathSegment::Name(_) => Some(info.return_type),
            QueryPathSegment::Index(_) => None,
        };
        let value = match next.run(context, info).await {
            // The edge answers it like a document that does not fit, if nothing else was asked for.
            Err(error) if place.parent.is_none() && is_coercion(&error) => return Err(error),
            Err(error) => {
                self.record(&place, Some(error));
                Value::Null
            }
            Ok(_) if self.is_to_be_null(&place) => {
                self.record(&place, None);
                Value::Null
            }
            Ok(value) => value.unwrap_or_default(),
        };
        let Some(ty) = ty.filter(|_| self.has_null_in(&place)) else { return Ok(Some(value)) };
        let value = fitted(value, ty);
        if value.is_none() {
            self.pass_up(&place);
        }
        Ok(Some(value.unwrap_or_default()))
    }
}

/// Whether an argument did not fit: the library finds that out only when it comes to the field.
fn is_coercion(error: &ServerError) -> bool {
    let text = error.message.as_str();
    text.starts_with("Failed to parse \"") || text.starts_with("Expected input type \"")
}

/// Executes by turns: when the operation can do nothing more, the reads that its fields asked for
/// begin, each kind as one statement.
struct Turns<'a, F> {
    executing: Pin<&'a mut F>,
    loaders: &'a Loaders,
    bell: Arc<Bell>,
}

/// Wakes the task, and remembers that it did. The library's sets of futures wake themselves when
/// they have polled a few and want to go on: what is pending then is not idle.
#[derive(Default)]
struct Bell {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<'a, F: Future> Turns<'a, F> {
    fn new(executing: Pin<&'a mut F>, loaders: &'a Loaders) -> Self {
        Self { executing, loaders, bell: Arc::default() }
    }
}

impl<F: Future> Future for Turns<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.bell.task.register(context.waker());
        let waker = Waker::from(Arc::clone(&self.bell));
        loop {
            self.bell.has_rung.store(false, Ordering::Release);
            let polled = self.executing.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                return polled;
            }
            // The task is polled again: then, and not in a loop here, so that others have a turn.
            if self.bell.has_rung.load(Ordering::Acquire) || !self.loaders.begin_reads() {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Error, Object, Result, Schema};
    use serde_json::json;

    use super::*;

    struct Query;

    #[Object]
    impl Query {
        async fn maybe(&self) -> Option<Toy> {
            Some(Toy { works: false })
        }

        async fn certain(&self) -> Toy {
            Toy { works: false }
        }

        async fn toys(&self) -> Option<Vec<Toy>> {
            Some(vec![Toy { works: true }, Toy { works: false }])
        }

        async fn maybe_toys(&self) -> Vec<Option<Toy>> {
            vec![Some(Toy { works: true }), Some(Toy { works: false })]
        }

        async fn broken(&self) -> Result<Option<i32>> {
            Err(Error::new("broken"))
        }

        async fn number(&self, of: i32) -> i32 {
            of
        }
    }

    struct Toy {
        works: bool,
    }

    #[Object]
    impl Toy {
        async fn may_fail(&self) -> Result<Option<i32>> {
            if self.works { Ok(Some(1)) } else { Err(Error::new("failed")) }
        }

        async fn must_not_fail(&self) -> Result<i32> {
            if self.works { Ok(1) } else { Err(Error::new("failed")) }
        }

        async fn inner(&self) -> Toy {
            Toy { works: self.works }
        }

        async fn name(&self) -> &str {
            "toy"
        }
    }

    #[tokio::test]
    async fn null_stands_where_the_specification_wants_it() {
        let schema =
            Schema::build(Query, EmptyMutation, EmptySubscription).extension(Execution).finish();
        for (document, data, paths) in [
            (
                "{ maybe { mayFail name } }",
                json!({ "maybe": { "mayFail": null, "name": "toy" } }),
                json!([["maybe", "mayFail"]]),
            ),
            (
                "{ maybe { mustNotFail name } }",
                json!({ "maybe": null }),
                json!([["maybe", "mustNotFail"]]),
            ),
            (
                "{ maybe { inner { inner { mustNotFail } } } broken }",
                json!({ "maybe": null, "broken": null }),
                json!([["broken"], ["maybe", "inner", "inner", "mustNotFail"]]),
            ),
            (
                "{ maybe { name } certain { mustNotFail } }",
                json!(null),
                json!([["certain", "mustNotFail"]]),
            ),
            (
                "{ toys { mustNotFail } }",
                json!({ "toys": null }),
                json!([["toys", 1, "mustNotFail"]]),
            ),
            (
                "{ maybeToys { mustNotFail } }",
                json!({ "maybeToys": [{ "mustNotFail": 1 }, null] }),
                json!([["maybeToys", 1, "mustNotFail"]]),
            ),
            (
                "{ a: broken maybe { name } }",
                json!({ "a": null, "maybe": { "name": "toy" } }),
                json!([["a"]]),
            ),
        ] {
            let answer = schema.execute(document).await;
            assert_eq!(answer.data.into_json().unwrap(), data, "{document}");
            let mut found: Vec<_> = answer.errors.iter().map(|error| json!(error.path)).collect();
            found.sort_by_key(ToString::to_string);
            assert_eq!(json!(found), paths, "{document}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_errors_is_untouched() {
        let schema =
            Schema::build(Query, EmptyMutation, EmptySubscription).extension(Execution).finish();
        let answer = schema.execute("{ number(of: 1) maybeToys { name } }").await;
        assert!(answer.errors.is_empty());
        let data = json!({ "number": 1, "maybeToys": [{ "name": "toy" }, { "name": "toy" }] });
        assert_eq!(answer.data.into_json().unwrap(), data);
    }
}

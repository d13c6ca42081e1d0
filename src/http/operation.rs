//! One GraphQL operation from its parameters to its answers, the same on every transport: limits,
//! context, time, panics. Not the transports themselves.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Executor, Request, Response, Variables};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::Instrument;

use super::Edge;
use super::answer::{Answer, Outcome, Suggestions, View};
use super::auth::{Caller, Standing};
use super::document;
use super::fault::{ErrorCode, Fault};
use super::limiter::{self, Bill, Meter};
use super::open::Open;
use super::request_id::RequestId;
use super::resume;
use super::settings::{EdgeSettings, Environment};

/// The parameters of a request (GraphQL over HTTP, section 5). Unknown keys are let be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Variables>,
    /// Only its form is looked at: a map.
    #[serde(rename = "extensions")]
    _extensions: Option<HashMap<String, IgnoredAny>>,
}

/// The same in a query string, where `variables` and `extensions` are JSON in turn.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UrlParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// From a body or a message.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(json).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "the request's parameters do not fit",
                _ => "the request is not JSON",
            };
            Fault::bad_request(format!("{what}: {error}"))
        })
    }

    /// From a query string.
    pub(super) fn from_url(url: UrlParameters) -> Result<Self, Fault> {
        fn json<T: serde::de::DeserializeOwned>(
            name: &str,
            text: Option<String>,
        ) -> Result<Option<T>, Fault> {
            let text = text.filter(|text| !text.is_empty());
            let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
            parsed
                .map(Option::flatten)
                .map_err(|error| Fault::bad_request(format!("{name} does not fit: {error}")))
        }
        Ok(Self {
            query: url.query,
            operation_name: url.operation_name.filter(|name| !name.is_empty()),
            variables: json("variables", url.variables)?,
            _extensions: json("extensions", url.extensions)?,
        })
    }
}

/// An operation that is within the limits on its form.
pub(super) struct Operation {
    request: Request,
    meter: Arc<Meter>,
    /// Of the lists that it brings along.
    items: usize,
    tree: ExecutableDocument,
    kind: OperationType,
    root_fields: usize,
    introspects: bool,
    selects_cursor: bool,
}

/// One answer of an operation, and the cursor of its event where one was asked for.
pub(super) struct Emission {
    pub(super) answer: Answer,
    pub(super) cursor: Option<String>,
}

impl Operation {
    /// Reads and checks `parameters`, for a caller whom `meter` charges.
    ///
    /// # Errors
    /// As `document::read`; 400 if there is no document; 429 if the caller has not even left what
    /// the reading costs.
    pub(super) fn new(
        parameters: Parameters,
        settings: &EdgeSettings,
        meter: &Arc<Meter>,
    ) -> Result<Self, Fault> {
        Self::read(parameters, settings, meter).map_err(|fault| meter.refused(fault))
    }

    fn read(
        parameters: Parameters,
        settings: &EdgeSettings,
        meter: &Arc<Meter>,
    ) -> Result<Self, Fault> {
        let Parameters { query, operation_name, variables, .. } = parameters;
        let query = query.ok_or_else(|| Fault::bad_request("the parameter query is missing"))?;
        let name = operation_name.as_deref();
        let variables = variables.unwrap_or_default();
        let sensitive = &settings.sensitive_mutations;
        let read = document::read(&query, name, &variables, &settings.limits, sensitive)?;
        if read.shape.kind == OperationType::Subscription {
            resume::require_one_field(&read.tree, name)?;
        }
        // A stream holds its request for as long as it is open: without the text, which nobody reads
        // any more, and with a tree that was copied, for the parser's vectors have room to spare.
        let tree = match read.shape.kind {
            OperationType::Subscription => read.tree.clone(),
            OperationType::Query | OperationType::Mutation => read.tree,
        };
        let items = limiter::count_items(&tree, &variables);
        let mut request = Request::new("").variables(variables);
        request.operation_name = operation_name;
        Ok(Self {
            request,
            meter: Arc::clone(meter),
            items,
            tree,
            kind: read.shape.kind,
            root_fields: read.shape.root_fields,
            introspects: read.shape.introspects,
            selects_cursor: false,
        })
    }

    /// Counts a stream of the caller's as open.
    ///
    /// # Errors
    /// 429, if there are as many as there may be.
    pub(super) fn open_stream(&self) -> Result<Open, Fault> {
        self.meter.open_stream()
    }

    pub(super) fn kind(&self) -> OperationType {
        self.kind
    }

    /// For event streams: makes a resumable subscription tell each event's cursor, whatever the
    /// client selects, and go on after `last_event_id`.
    pub(super) fn follow(&mut self, last_event_id: Option<&str>, resumable: &[String]) {
        if self.kind == OperationType::Subscription {
            self.selects_cursor =
                resume::rewrite(&mut self.tree, &mut self.request, last_event_id, resumable);
        }
    }
}

/// Runs `operation` for `caller`: one answer for a query or mutation, any number for a
/// subscription. Dropping the stream cancels the operation.
pub(super) fn run<E: Executor>(
    edge: &Arc<Edge<E>>,
    operation: Operation,
    caller: &Caller,
    request_id: RequestId,
) -> BoxStream<'static, Emission> {
    match operation.kind {
        OperationType::Subscription => subscribe(edge, operation, caller, request_id),
        OperationType::Query | OperationType::Mutation => {
            let edge = Arc::clone(edge);
            let caller = caller.clone();
            stream::once(async move {
                let answer = execute(&edge, operation, &caller, request_id).await;
                Emission { answer, cursor: None }
            })
            .boxed()
        }
    }
}

/// Runs a query or mutation within its time.
pub(super) async fn execute<E: Executor>(
    edge: &Edge<E>,
    operation: Operation,
    caller: &Caller,
    request_id: RequestId,
) -> Answer {
    let kind = operation.kind;
    let meter = Arc::clone(&operation.meter);
    let (request, view) = match prepare(&edge.settings, operation, caller, request_id) {
        Ok(prepared) => prepared,
        Err(fault) => return Answer::refused(fault, request_id),
    };
    let time_max = edge.settings.limits.operation_time_max;
    let execution = AssertUnwindSafe(edge.executor.execute(request)).catch_unwind();
    let span = tracing::info_span!("graphql", request.id = %request_id, operation.type = %kind);
    let outcome = tokio::time::timeout(time_max, execution).instrument(span).await;
    let answer = match outcome {
        Ok(Ok(response)) => Answer::executed(response, &view).with_cost(meter.cost()),
        Ok(Err(_panic)) => Answer::refused(panicked(request_id), request_id),
        Err(_elapsed) => Answer::refused(timed_out(), request_id),
    };
    count(kind, &answer);
    answer
}

fn subscribe<E: Executor>(
    edge: &Edge<E>,
    operation: Operation,
    caller: &Caller,
    request_id: RequestId,
) -> BoxStream<'static, Emission> {
    let selects_cursor = operation.selects_cursor;
    let (request, view) = match prepare(&edge.settings, operation, caller, request_id) {
        Ok(prepared) => prepared,
        Err(fault) => {
            let answer = Answer::refused(fault, request_id);
            return stream::iter([Emission { answer, cursor: None }]).boxed();
        }
    };
    let responses = AssertUnwindSafe(edge.executor.execute_stream(request, None)).catch_unwind();
    responses
        .map(move |response| match response {
            Ok(response) => emission(response, &view, selects_cursor),
            Err(_panic) => {
                let answer = Answer::refused(panicked(request_id), request_id);
                Emission { answer, cursor: None }
            }
        })
        .boxed()
}

fn emission(response: Response, view: &View, selects_cursor: bool) -> Emission {
    let mut answer = Answer::executed(response, view);
    let cursor = if selects_cursor { answer.take_hidden(resume::CURSOR_ALIAS) } else { None };
    Emission { answer, cursor }
}

/// The request as the executor gets it: checked tree, the caller's context, introspection or not.
fn prepare(
    settings: &EdgeSettings,
    operation: Operation,
    caller: &Caller,
    request_id: RequestId,
) -> Result<(Request, View), Fault> {
    let Operation { mut request, tree, meter, items, root_fields, introspects, .. } = operation;
    let trusted = match (settings.environment, caller.standing) {
        (Environment::Development, _) | (Environment::Production, Standing::Known) => true,
        (Environment::Production, Standing::Anonymous) => false,
    };
    if !trusted {
        if introspects {
            let fault = Fault::invalid("introspection is off for anonymous callers");
            return Err(meter.refused(fault));
        }
        request = request.disable_introspection();
    }
    request.set_parsed_query(tree);
    let request = request.data(Bill { meter, items });
    let view = View {
        request_id,
        errors_max: settings.limits.errors_max,
        suggestions: if trusted { Suggestions::Shown } else { Suggestions::Hidden },
        single_root_field: root_fields == 1,
    };
    Ok((caller.context.attach(request, request_id), view))
}

/// The panic's text is in the log already, by the panic hook; this line ties it to the request.
fn panicked(request_id: RequestId) -> Fault {
    tracing::error!(request.id = %request_id, "a resolver panicked");
    Fault::internal()
}

fn timed_out() -> Fault {
    let message = "the operation took too long";
    Fault::new(ErrorCode::Unavailable, StatusCode::SERVICE_UNAVAILABLE, message)
}

fn count(kind: OperationType, answer: &Answer) {
    let outcome = match answer.outcome() {
        Outcome::Executed if answer.errors().is_empty() => "OK",
        Outcome::Executed => "FIELD_ERRORS",
        Outcome::Refused(_, code) => code.as_str(),
    };
    let kind = match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    metrics::counter!("graphql_operations_total", "type" => kind, "outcome" => outcome)
        .increment(1);
}

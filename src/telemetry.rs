//! Logs, traces and metrics: where they go and what form they have. What is measured stands beside
//! the code that does it. Called by the command line (once a process) and by `app`.
//!
//! What keeps secrets out: types that hold one have no `Debug`, statements are never logged (`db`),
//! and `tests/it/architecture` refuses field names such as `text`, `token` or `email` in every log
//! line and span. Nothing is filtered here, where a new field would be forgotten.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogFormat, Telemetry as Settings};

/// Upper bounds of histogram buckets, in seconds: from a statement on SQLite to a slow carrier.
const LATENCY_BUCKETS_S: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// How often histograms are folded into their buckets: bounds the memory between two scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long the last traces may take to leave at the end.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(3);
/// How long one batch of traces may take.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(5);

/// Logs and traces of this process, as long as it is kept.
#[must_use = "traces stop leaving when it is dropped"]
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Why logs or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("telemetry.log is not a log filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter does not take its settings.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[from] ExporterBuildError),
    /// The process logs already.
    #[error("logging is set up already")]
    SecondTime(#[from] TryInitError),
}

impl Telemetry {
    /// Sends the process's logs to standard error and, if there is an endpoint, its traces there.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn start(settings: &Settings) -> Result<Self, TelemetryError> {
        let traces = traces(settings)?;
        let subscriber = Registry::default()
            .with(logs(settings, std::io::stderr)?)
            .with(traces.as_ref().map(trace_layer));
        subscriber.try_init()?;
        Ok(Self { traces })
    }

    /// Sends what is left.
    pub fn stop(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown_with_timeout(FLUSH_TIME_MAX)
        {
            tracing::warn!(%error, "the last traces did not leave");
        }
    }
}

/// The layer that writes log lines to `writer`.
fn logs<S, W>(
    settings: &Settings,
    writer: W,
) -> Result<Box<dyn Layer<S> + Send + Sync>, TelemetryError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&settings.log)?;
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match settings.format {
        LogFormat::Pretty => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            layer.with_ansi(is_terminal).with_target(false).with_filter(filter).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

/// The provider of traces. It must be kept: with it the exporter's thread ends.
fn traces(settings: &Settings) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if settings.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    // The batch exporter works in a thread of its own, without a reactor: hence the blocking
    // client, which is the one that the build includes.
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&settings.otlp_endpoint)
        .with_timeout(EXPORT_TIME_MAX)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("heliograph")
        .with_attribute(opentelemetry::KeyValue::new("service.version", version()))
        .build();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    Ok(Some(provider))
}

/// The layer that makes our own spans into traces: those of libraries say nothing to an operator.
fn trace_layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ours = Targets::new().with_target("heliograph", LevelFilter::INFO);
    tracing_opentelemetry::layer().with_tracer(provider.tracer("heliograph")).with_filter(ours)
}

/// The program's version.
pub const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The process's metrics. Cheap to clone; all are the same.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts to collect, if the process does not already.
    ///
    /// # Panics
    /// If something else than this function installed a recorder in this process.
    pub fn collect() -> Self {
        static COLLECTED: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = COLLECTED.get_or_init(|| {
            let handle = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), LATENCY_BUCKETS_S)
                .and_then(PrometheusBuilder::install_recorder)
                .expect("the buckets are not empty, and nothing else installs a recorder");
            metrics::describe_gauge!("heliograph_build_info", "1, with the version as a label");
            metrics::gauge!("heliograph_build_info", "version" => version()).set(1.0);
            handle
        });
        Self(handle.clone())
    }

    /// All metrics, in Prometheus' text exposition.
    pub fn text(&self) -> String {
        self.0.render()
    }

    /// Folds what was recorded, again and again; never returns.
    pub async fn keep_up(&self) {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            self.0.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: &str, format: LogFormat) -> String {
        let settings = Settings { log: log.to_owned(), format, otlp_endpoint: String::new() };
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = logs(&settings, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::info!(message.id = "msg_1", "handed over");
            tracing::debug!("a detail");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_carry_fields_and_the_filter_holds() {
        let lines = logged("info", LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["message.id"], "msg_1");
        assert_eq!(line["message"], "handed over");
        assert_eq!(line["level"], "INFO");
        assert_eq!(logged("debug", LogFormat::Json).lines().count(), 2);
    }

    #[test]
    fn pretty_lines_are_for_people() {
        let lines = logged("info", LogFormat::Pretty);
        assert!(lines.contains("INFO"), "{lines}");
        assert!(lines.contains("handed over"), "{lines}");
        assert!(!lines.contains('{'), "{lines}");
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let settings =
            Settings { log: "=/=".into(), format: LogFormat::Json, otlp_endpoint: String::new() };
        assert!(logs::<Registry, _>(&settings, io::stderr).is_err());
    }

    #[test]
    fn latencies_come_in_buckets_and_the_build_is_named() {
        let metrics = Metrics::collect();
        metrics::histogram!("telemetry_test_seconds").record(0.02);
        let text = metrics.text();
        assert!(text.contains("telemetry_test_seconds_bucket{le=\"0.025\"} 1"), "{text}");
        assert!(text.contains("telemetry_test_seconds_bucket{le=\"0.01\"} 0"), "{text}");
        let build = format!("heliograph_build_info{{version=\"{}\"}} 1", version());
        assert!(Metrics::collect().text().contains(&build), "{text}");
    }
}

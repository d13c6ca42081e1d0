//! Counts the open streams by transport, for the metrics.

/// One open stream; dropped when it ends.
pub(super) struct OpenStream(&'static str);

impl OpenStream {
    pub(super) fn count(transport: &'static str) -> Self {
        metrics::gauge!("graphql_streams_open", "transport" => transport).increment(1.0);
        Self(transport)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        metrics::gauge!("graphql_streams_open", "transport" => self.0).decrement(1.0);
    }
}

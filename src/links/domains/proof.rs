//! The proof that an account owns a host: a TXT record (RFC 1035, 3.3.14) below it.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use entity::ids::AccountId;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use crate::keys::{MasterKey, Purpose};

/// Bytes of the token: more than can be guessed.
const TOKEN_BYTES: usize = 16;
/// How long a server may take for an answer, and how often it is asked.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
const ATTEMPTS_MAX: usize = 2;
/// How long a look may take, with all servers and what leads from one to the next: well below what
/// a mutation may take.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(6);

/// The record that an account makes in the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationRecord {
    /// The whole name, without a dot at its end.
    pub name: String,
    /// The text of it, all of it.
    pub value: String,
}

/// The record by which an account proves that a host is its own. Nothing of it is kept, and it is
/// no secret: who may write it there owns the host.
pub fn verification_record(
    key: &MasterKey,
    account_id: AccountId,
    host: &str,
) -> VerificationRecord {
    let text = [account_id.0.as_bytes().as_slice(), host.as_bytes()].concat();
    let hash = key.hash(Purpose::LinkDomain, &text);
    VerificationRecord {
        name: format!("_heliograph.{host}"),
        value: format!("heliograph-verification={}", HEXLOWER.encode(&hash[..TOKEN_BYTES])),
    }
}

/// No resolver answers, or none knows who would.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookUpError {
    #[error("the resolver's settings cannot be read")]
    Settings(#[source] NetError),
    #[error("no resolver answered")]
    Answer(#[source] NetError),
    #[error("no resolver answered in time")]
    Time,
}

/// The texts of the TXT records of `name`, each put together; none if there are none. Asks `server`,
/// or those that the system names, and remembers nothing.
pub(super) async fn texts(
    server: Option<SocketAddr>,
    name: &str,
) -> Result<Vec<Vec<u8>>, LookUpError> {
    let resolver = resolver(server).map_err(LookUpError::Settings)?;
    // Whole, so that no search list of the system is tried.
    let look_up = resolver.txt_lookup(format!("{name}."));
    let found = match tokio::time::timeout(LOOK_UP_TIME_MAX, look_up).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
        Ok(Err(error)) => return Err(LookUpError::Answer(error)),
        Err(_) => return Err(LookUpError::Time),
    };
    let text = |data: &RData| match data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    };
    Ok(found.answers().iter().filter_map(|record| text(&record.data)).collect())
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let at_port = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let connections = connections.map(at_port).to_vec();
            let server = NameServerConfig::new(server.ip(), true, connections);
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = ANSWER_TIME_MAX;
    options.attempts = ATTEMPTS_MAX;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

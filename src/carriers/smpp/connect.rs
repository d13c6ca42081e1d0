//! One connection to a carrier: TCP, TLS where asked for, and the bind.
//!
//! Tries once; `link` decides when to try again.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rusmpp::{CommandId, CommandStatus};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use super::config::{SmppConfig, TlsConfig, TlsRoots};
use super::encode::{self, Role};
use super::wire::{Frame, Frames};

/// The sequence number of the bind: the first of a session.
const BIND_SEQUENCE: u32 = 1;

/// Both directions of a connection.
pub(super) struct Connection {
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// What came behind the bind's answer is in here already.
    pub frames: Frames,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no answer while {0}")]
    Timeout(&'static str),
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("the carrier does not speak SMPP")]
    Protocol,
    #[error("the bind was refused with status {0:#x}")]
    Refused(u32),
}

impl ConnectError {
    /// Whether trying again soon would only lock the account.
    pub fn is_about_credentials(&self) -> bool {
        let Self::Refused(status) = self else { return false };
        matches!(
            CommandStatus::from(*status),
            CommandStatus::EsmeRbindfail
                | CommandStatus::EsmeRinvpaswd
                | CommandStatus::EsmeRinvsysid
                | CommandStatus::EsmeRinvsystyp
        )
    }
}

/// The TLS settings of a carrier, read once.
///
/// # Errors
/// If the roots cannot be read or the name is none.
pub(super) fn tls_connector(
    config: &TlsConfig,
) -> Result<(TlsConnector, ServerName<'static>), ConnectError> {
    let server_name = ServerName::try_from(config.server_name.clone())
        .map_err(|error| ConnectError::Tls(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    match &config.roots {
        TlsRoots::Native => {
            let native = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(native.certs);
        }
        TlsRoots::PemFile(path) => {
            let unreadable =
                |error: rustls_pki_types::pem::Error| ConnectError::Tls(error.to_string());
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                roots
                    .add(certificate.map_err(unreadable)?)
                    .map_err(|error| ConnectError::Tls(error.to_string()))?;
            }
        }
    }
    if roots.is_empty() {
        return Err(ConnectError::Tls("no root certificate was found".to_owned()));
    }
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((TlsConnector::from(Arc::new(client)), server_name))
}

/// Connects and binds.
///
/// # Errors
/// As [`ConnectError`] says.
pub(super) async fn connect(config: &SmppConfig, role: Role) -> Result<Connection, ConnectError> {
    let limit = config.connect_timeout();
    let tcp = within(limit, "connecting", TcpStream::connect(&config.address)).await??;
    // Small PDUs must not wait for each other's TCP acknowledgement.
    tcp.set_nodelay(true)?;
    let mut connection = match &config.tls {
        None => {
            let (reader, writer) = tcp.into_split();
            Connection { reader: Box::new(reader), writer: Box::new(writer), frames: Frames::new() }
        }
        Some(tls) => {
            let (connector, name) = tls_connector(tls)?;
            let stream = within(limit, "starting TLS", connector.connect(name, tcp)).await??;
            let (reader, writer) = tokio::io::split(stream);
            Connection { reader: Box::new(reader), writer: Box::new(writer), frames: Frames::new() }
        }
    };
    within(limit, "binding", bind(&mut connection, config, role)).await??;
    Ok(connection)
}

async fn within<T>(
    limit: Duration,
    doing: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    tokio::time::timeout(limit, future).await.map_err(|_| ConnectError::Timeout(doing))
}

async fn bind(
    connection: &mut Connection,
    config: &SmppConfig,
    role: Role,
) -> Result<(), ConnectError> {
    let mut request = BytesMut::new();
    encode::bind(&mut request, config, role, BIND_SEQUENCE);
    connection.writer.write_all(&request).await?;
    connection.writer.flush().await?;
    loop {
        while let Some(frame) = connection.frames.next().map_err(|_| ConnectError::Protocol)? {
            if is_answer(&frame) {
                return match frame.status {
                    0 => Ok(()),
                    status => Err(ConnectError::Refused(status)),
                };
            }
        }
        connection.frames.fill(&mut connection.reader).await?;
    }
}

/// Whatever else comes before it is not for an unbound session, and is not answered.
fn is_answer(frame: &Frame) -> bool {
    match frame.id {
        CommandId::BindTransceiverResp
        | CommandId::BindTransmitterResp
        | CommandId::BindReceiverResp => true,
        CommandId::GenericNack => frame.status != 0,
        _ => false,
    }
}

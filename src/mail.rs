//! E-mail: hands messages to a server over SMTP. Knows no business words and keeps nothing; whoever
//! sends decides what a failure means. The only place that speaks SMTP.

use std::time::{Duration, UNIX_EPOCH};

use entity::time::UnixMillis;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::Mail;

/// How long one exchange with the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Answers that speak of us and not of the message: it is not lost by them (RFC 4954, section 6).
const ABOUT_US: &[u16] = &[530, 534, 535, 538];

/// An e-mail.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The left side of its Message-ID: the same for every try.
    pub message_id: String,
    /// To whom.
    pub to: Vec<String>,
    /// What it is about, on one line.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// A PDF: its name and what is in it.
    pub pdf: Option<(String, Vec<u8>)>,
    /// When it was written.
    pub written_at: UnixMillis,
}

/// Why an e-mail was not taken. Says nothing of whom it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// An address has no sound form, or a part cannot be written.
    #[error("the e-mail cannot be written: an address has no sound form")]
    Unwritable,
    /// The server refuses it for good.
    #[error("the mail server refused it for good ({0})")]
    Refused(u16),
    /// The server refuses it for now, or refuses us.
    #[error("the mail server did not take it ({0})")]
    NotTaken(u16),
    /// The server could not be spoken to.
    #[error("the mail server cannot be reached")]
    Unreachable,
}

/// Sends e-mail by the server of the settings.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// By the settings; none if they name no server.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: &Mail) -> Result<Option<Self>, String> {
        if settings.smtp_url.is_empty() {
            return Ok(None);
        }
        let from: Mailbox = settings.from.parse().map_err(|_| {
            "mail.from is not an e-mail address, as in Acme <billing@acme.example>".to_owned()
        })?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.smtp_url)
            // Its text may hold the password.
            .map_err(|_| {
                "mail.smtp_url must be smtp://user:password@host:port?tls=required or smtps://…"
                    .to_owned()
            })?
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(TIMEOUT))
            .build();
        Ok(Some(Self { transport, from }))
    }

    /// Hands an e-mail to the server, which answers for it then. May have done so though it fails:
    /// an answer can be lost.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, mail: Outgoing) -> Result<(), SendError> {
        let message = self.message(mail).ok_or(SendError::Unwritable)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.status().map(u16::from) {
                Some(code) if error.is_permanent() && !ABOUT_US.contains(&code) => {
                    SendError::Refused(code)
                }
                Some(code) => SendError::NotTaken(code),
                None => SendError::Unreachable,
            }),
        }
    }

    fn message(&self, mail: Outgoing) -> Option<Message> {
        let domain = self.from.email.domain();
        let since_1970 =
            Duration::from_millis(u64::try_from(mail.written_at.0).unwrap_or_default());
        let mut message = Message::builder()
            .message_id(Some(format!("<{}@{domain}>", mail.message_id)))
            .date(UNIX_EPOCH + since_1970)
            .from(self.from.clone())
            .subject(mail.subject);
        for address in &mail.to {
            message = message.to(Mailbox::new(None, address.parse().ok()?));
        }
        let text = SinglePart::plain(mail.text);
        let written = match mail.pdf {
            Some((name, bytes)) => {
                let kind = ContentType::parse("application/pdf").ok()?;
                let pdf = Attachment::new(name).body(bytes, kind);
                message.multipart(MultiPart::mixed().singlepart(text).singlepart(pdf))
            }
            None => message.singlepart(text),
        };
        written.ok()
    }
}

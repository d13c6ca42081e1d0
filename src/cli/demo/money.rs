//! The money's part of the demo: the owner tops the account up through Stripe, the operator makes
//! out an invoice, and in the end the balance is what it has to be, to the last millionth.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::client::{Client, ClientError};
use super::setup::Stage;
use super::show::Show;
use super::stream::Stream;
use crate::billing::invoices::{self, NewLine};
use crate::cli::failure::Failure;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::types::money::Micros;

/// What the owner pays in.
const TOP_UP: Micros = Micros(25_000_000);
/// What the operator bills for, and how much that is.
const SERVICE: &str = "Setting up";
const SERVICE_PRICE: Micros = Micros(12_000_000);
/// Longer than this nothing takes here.
const PATIENCE: Duration = Duration::from_secs(15);

const WATCH: &str = "subscription Watch { billingEvents { __typename ... on BalanceChanged \
    { balance { posted } } ... on InvoiceChanged { change invoice { number total } } } }";
const TOP_UP_DOCUMENT: &str = "mutation TopUp($input: StartTopUpInput!) { startTopUp(input: \
    $input) { payment { id } redirectUrl userErrors { code message } } }";
const PAYMENT: &str = "query Payment($id: ID!) { payment(id: $id) { status } }";
const INVOICE: &str = "query Invoice($id: ID!) { invoice(id: $id) { number total pdfUrl } }";
const BALANCE: &str = "{ accountBalance { posted } }";

/// What moved the balance, and what it is then.
pub(super) struct Account {
    pub(super) before: Micros,
    pub(super) messages: Micros,
    pub(super) top_up: Micros,
    pub(super) invoice: Micros,
    pub(super) after: Micros,
}

impl Account {
    /// Whether the balance is what these come to.
    pub(super) fn adds_up(&self) -> bool {
        let parts = [self.before, self.messages.negated(), self.top_up, self.invoice.negated()];
        Micros::checked_sum(parts) == Some(self.after)
    }
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "billingEvents")]
    event: Event,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Event {
    BalanceChanged {
        balance: Balance,
    },
    InvoiceChanged {
        change: String,
        invoice: Option<Invoice>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Balance {
    posted: String,
}

#[derive(Deserialize)]
struct Invoice {
    number: Option<String>,
    total: String,
}

/// What the account has by the ledger.
///
/// # Errors
/// [`ClientError`].
pub(super) async fn balance(client: &Client) -> Result<Micros, ClientError> {
    let data = client.call(BALANCE, Value::Null).await?;
    amount(&data["accountBalance"]["posted"])
}

/// Plays it. `before` is what the account had before its messages, `messages` what was charged for
/// them.
///
/// # Errors
/// If a call is refused, or nothing comes of one.
pub(super) async fn play(
    stage: &Stage,
    operator: &Ctx,
    (before, messages): (Micros, Micros),
    show: &Show,
) -> Result<Account, Failure> {
    let customer = Client::new(&stage.url, &stage.live_key).map_err(Failure::new)?;
    let mut stream = Stream::open(&customer, WATCH).await.map_err(Failure::new)?;
    show.line("\ntopping up through Stripe, which here is played by this program:");
    let payment = pay(stage, show).await?;
    let expected = Micros::checked_sum([before, messages.negated(), TOP_UP]);
    follow(&mut stream, show, |event| match event {
        Event::BalanceChanged { balance } => balance.posted.parse().ok() == expected,
        Event::InvoiceChanged { .. } | Event::Other => false,
    })
    .await?;
    let paid = customer.call(PAYMENT, json!({ "id": payment })).await.map_err(Failure::new)?;
    let status = paid["payment"]["status"].as_str().unwrap_or_default();
    show.line(&format!("  {payment} {status}"));
    if status != "PAID" {
        return Err(Failure::new(format!("the payment is {status}")));
    }
    show.line("the operator makes out an invoice:");
    let id = make_out(stage, operator).await?;
    follow(&mut stream, show, |event| match event {
        Event::InvoiceChanged { change, .. } => change == "FINALIZED",
        Event::BalanceChanged { .. } | Event::Other => false,
    })
    .await?;
    let found = customer.call(INVOICE, json!({ "id": id })).await.map_err(Failure::new)?;
    let invoice = amount(&found["invoice"]["total"]).map_err(Failure::new)?;
    let pdf = write_pdf(stage, &customer, &found["invoice"]).await?;
    show.line(&format!("  written to {}", pdf.display()));
    let after = balance(&customer).await.map_err(Failure::new)?;
    Ok(Account { before, messages, top_up: TOP_UP, invoice, after })
}

/// Starts a top-up as the account's owner, and pays it. Returns the payment's id.
async fn pay(stage: &Stage, show: &Show) -> Result<String, Failure> {
    let owner = Client::new(&stage.url, &stage.owner_token).map_err(Failure::new)?;
    let input = json!({
        "idempotencyKey": format!("demo-{}", stage.account_number),
        "amount": TOP_UP.to_string(),
        "currency": stage.currency,
        "processor": "STRIPE",
    });
    let data = owner.call(TOP_UP_DOCUMENT, json!({ "input": input })).await;
    let answer = &data.map_err(Failure::new)?["startTopUp"];
    let (Some(id), Some(page)) = (answer["payment"]["id"].as_str(), answer["redirectUrl"].as_str())
    else {
        return Err(Failure::new(format!("the top-up was not started: {}", answer["userErrors"])));
    };
    show.line(&format!("  {id} {TOP_UP} {}, to be paid at {page}", stage.currency));
    let paid = owner.open_page(page).await.map_err(Failure::new)?;
    show.line(&format!("  {}", paid.trim_end()));
    Ok(id.to_owned())
}

/// Shows what happens to the account's money until `is_last`.
async fn follow(
    stream: &mut Stream,
    show: &Show,
    is_last: impl Fn(&Event) -> bool,
) -> Result<(), Failure> {
    let following = async {
        loop {
            let events: Vec<Data> = stream.next().await?;
            let mut is_over = false;
            for Data { event } in &events {
                shown(event).iter().for_each(|line| show.line(line));
                is_over |= is_last(event);
            }
            if is_over {
                return Ok::<_, ClientError>(());
            }
        }
    };
    match timeout(PATIENCE, following).await {
        Ok(followed) => followed.map_err(Failure::new),
        Err(_) => Err(Failure::new("what should follow of it was not told")),
    }
}

fn shown(event: &Event) -> Option<String> {
    match event {
        Event::BalanceChanged { balance } => Some(format!("  balance {}", balance.posted)),
        Event::InvoiceChanged { change, invoice } => {
            let (number, total) = match invoice {
                Some(invoice) => (invoice.number.as_deref().unwrap_or("-"), &*invoice.total),
                None => ("-", "-"),
            };
            Some(format!("  invoice {number} {change}, total {total}"))
        }
        Event::Other => None,
    }
}

/// Makes out an invoice, as the operator does.
async fn make_out(stage: &Stage, operator: &Ctx) -> Result<String, Failure> {
    let account_id = stage.account_id.parse().map_err(Failure::new)?;
    let line = NewLine {
        description: SERVICE.to_owned(),
        quantity: Micros(1_000_000),
        amount: SERVICE_PRICE,
    };
    let draft = invoices::create(operator, account_id, None).await.map_err(failure)?;
    invoices::add_line(operator, draft.id, line).await.map_err(failure)?;
    let finalized = invoices::finalize(operator, draft.id).await.map_err(failure)?;
    Ok(finalized.id.to_string())
}

/// Fetches the invoice as the customer does, and keeps it beside the data.
async fn write_pdf(stage: &Stage, customer: &Client, invoice: &Value) -> Result<PathBuf, Failure> {
    let text = |name: &str| invoice[name].as_str().unwrap_or_default();
    let bytes = customer.download(text("pdfUrl")).await.map_err(Failure::new)?;
    if !bytes.starts_with(b"%PDF-") {
        return Err(Failure::new("the invoice is no PDF"));
    }
    let path = Path::new(&stage.data_dir).join(format!("{}.pdf", text("number")));
    tokio::fs::write(&path, &bytes).await.map_err(Failure::new)?;
    Ok(path)
}

fn amount(value: &Value) -> Result<Micros, ClientError> {
    let amount = value.as_str().and_then(|text| text.parse().ok());
    amount.ok_or_else(|| ClientError::Refused(format!("{value} is no amount")))
}

/// A rejection here is a fault of the demo, not of its user.
fn failure<R: std::fmt::Display>(error: Error<R>) -> Failure {
    match error {
        Error::Rejected(rejection) => Failure::new(rejection.to_string()),
        Error::Failed(failed) => Failure::new(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millionth_too_much_does_not_add_up() {
        let mut account = Account {
            before: Micros(100),
            messages: Micros(30),
            top_up: Micros(50),
            invoice: Micros(20),
            after: Micros(100),
        };
        assert!(account.adds_up());
        account.after = Micros(101);
        assert!(!account.adds_up());
    }
}

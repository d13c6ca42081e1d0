//! What is told of invoices by e-mail, to a server that shares no code with the program: the Python
//! package `aiosmtpd`. Needs `python3` and `pip` with a registry; without them it fails rather than
//! pass untested.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use entity::enums::Role;
use heliograph::billing::invoices;
use heliograph::ctx::Ctx;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Books, DAY};
use crate::support::{TestHouse, both_stores, within};

/// Longer than anything here takes, installation included.
const PATIENCE: Duration = Duration::from_secs(120);

/// The installed and running server; it ends with this value.
struct Server {
    port: u64,
    lines: Lines<BufReader<ChildStdout>>,
    _stdin: ChildStdin,
    _child: Child,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/smtp_server");
        let directory = tempfile::tempdir().unwrap();
        let environment = directory.path().join("venv");
        run(Command::new("python3").arg("-m").arg("venv").arg(&environment)).await;
        let python = environment.join("bin/python");
        let mut pip = Command::new(&python);
        let requirements = source.join("requirements.txt");
        run(pip.args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements)).await;
        let mut child = Command::new(&python)
            .arg(source.join("server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stdin = child.stdin.take().unwrap();
        let mut server =
            Self { port: 0, lines, _stdin: stdin, _child: child, _directory: directory };
        server.port = server.said("listening").await["port"].as_u64().unwrap();
        server
    }

    async fn said(&mut self, event: &str) -> Value {
        let line = within(PATIENCE, self.lines.next_line()).await.unwrap();
        let said: Value = serde_json::from_str(&line.expect("server running")).unwrap();
        assert_eq!(said["event"], event, "{said}");
        said
    }

    async fn taken(&mut self) -> Value {
        self.said("taken").await
    }

    /// The program's own context, with this server in its settings.
    fn sender(&self, house: &TestHouse) -> Ctx {
        sender(house, &format!("smtp://heliograph:secret@127.0.0.1:{}", self.port))
    }
}

async fn run(command: &mut Command) {
    let ended = within(PATIENCE, command.kill_on_drop(true).status()).await.expect("is installed");
    assert!(ended.success(), "{command:?}: {ended}");
}

fn sender(house: &TestHouse, smtp_url: &str) -> Ctx {
    let platform = house.platform_with(|settings| {
        settings.mail.smtp_url = smtp_url.to_owned();
        settings.mail.from = "Acme Billing <billing@operator.example>".to_owned();
    });
    Ctx::system(Arc::clone(&platform), "test")
}

/// Somebody who belongs to the account.
async fn join(house: &TestHouse, books: &Books, email: &str, role: Role) {
    let person: entity::ids::PersonId = house.platform.ids.next();
    let sql = "INSERT INTO person (id, email, version, created_at_ms, updated_at_ms) \
        VALUES ($1, $2, 1, 0, 0)";
    house.execute(sql, [person.into(), email.into()]).await;
    let sql = "INSERT INTO membership (account_id, person_id, role, created_at_ms, updated_at_ms) \
        VALUES ($1, $2, $3, 0, 0)";
    house.execute(sql, [books.account_id.into(), person.into(), role.code().into()]).await;
}

async fn deliver(ctx: &Ctx) -> u64 {
    invoices::deliver_mail(ctx).await.unwrap()
}

/// What the account is shown of a document's e-mails.
async fn emails(books: &Books, document: &Value) -> Vec<(String, String, i64, Value)> {
    let read = "query($id: ID!) { invoice(id: $id) { emails { kind state attempts fault } } }";
    let data = books.api.data(&books.owner, read, json!({ "id": document["id"] })).await;
    let emails = data["invoice"]["emails"].as_array().unwrap().clone();
    let shown = |mail: Value| {
        let text = |field: &str| mail[field].as_str().unwrap().to_owned();
        let attempts = mail["attempts"].as_i64().unwrap();
        (text("kind"), text("state"), attempts, mail["fault"].clone())
    };
    emails.into_iter().map(shown).collect()
}

fn is(kind: &str, state: &str, attempts: i64, fault: Value) -> (String, String, i64, Value) {
    (kind.to_owned(), state.to_owned(), attempts, fault)
}

both_stores! {
    async fn what_happens_to_invoices_is_told_once_with_the_paper(house: TestHouse) {
        let mut server = Server::start().await;
        let ctx = server.sender(&house);
        let books = Books::open(&house).await;
        join(&house, &books, "owner@acme.example", Role::Owner).await;
        join(&house, &books, "money@acme.example", Role::Billing).await;
        join(&house, &books, "dev@acme.example", Role::Developer).await;
        let invoice = books.invoice("10.00").await;
        assert_eq!(deliver(&ctx).await, 1);
        let mail = server.taken().await;
        let number = invoice["number"].as_str().unwrap();
        assert_eq!(mail["recipients"], json!(["owner@acme.example", "money@acme.example"]));
        assert_eq!(mail["sender"], "billing@operator.example");
        assert_eq!(mail["subject"], format!("Invoice {number}"));
        assert_eq!(mail["attachments"], json!([
            { "name": format!("{number}.pdf"), "type": "application/pdf", "begins": "%PDF-" }
        ]));
        let text = mail["text"].as_str().unwrap();
        assert!(text.contains("10.00 USD is to be paid by 2026-01-19"), "{text}");
        assert_eq!(deliver(&ctx).await, 0, "once");

        // Where the billing profile says, from now on.
        let profile = "mutation { setBillingProfile(input: { legalName: \"Acme\", line1: \"1\", \
            city: \"B\", country: \"DE\", email: \"bills@acme.example\" }) { userErrors { code } } }";
        books.api.data(&books.owner, profile, json!({})).await;
        house.hand.advance(DAY * 15);
        invoices::mark_overdue(&ctx).await.unwrap();
        assert_eq!(invoices::remind(&ctx).await.unwrap(), 1);
        let pay = json!({ "invoiceId": invoice["id"], "amount": "4.00", "reference": "r",
            "idempotencyKey": "k" });
        books.done("recordPayment", "invoice", pay.clone()).await;
        books.done("recordPayment", "invoice", pay).await;
        let note = json!({ "invoiceId": invoice["id"], "reason": "r", "idempotencyKey": "n",
            "lines": [{ "description": "d", "amount": "1.00" }] });
        books.done("createCreditNote", "creditNote", note).await;
        assert_eq!(deliver(&ctx).await, 3);
        let mut subjects = Vec::new();
        for _ in 0..3 {
            let mail = server.taken().await;
            assert_eq!(mail["recipients"], json!(["bills@acme.example"]));
            subjects.push(mail["subject"].as_str().unwrap().replace(number, "INV"));
        }
        subjects.sort();
        assert!(subjects[0].starts_with("Credit note CRN-"), "{subjects:?}");
        assert_eq!(subjects[1..], ["Payment received for invoice INV", "Reminder of invoice INV"]);
        assert_eq!(emails(&books, &invoice).await, [
            is("FINALIZED", "SENT", 1, Value::Null),
            is("REMINDER", "SENT", 1, Value::Null),
            is("PAYMENT_RECEIVED", "SENT", 1, Value::Null),
        ]);
    }

    async fn what_could_not_be_noted_is_sent_again_under_the_same_id(house: TestHouse) {
        let mut server = Server::start().await;
        let ctx = server.sender(&house);
        let books = Books::open(&house).await;
        join(&house, &books, "owner@acme.example", Role::Owner).await;
        books.invoice("10.00").await;
        assert_eq!(deliver(&ctx).await, 1);
        let first = server.taken().await;
        // As if the node had ended before it noted that.
        house.execute("UPDATE mail SET state = 0, attempts = 0, next_at_ms = created_at_ms, \
            ended_at_ms = NULL", []).await;
        assert_eq!(deliver(&ctx).await, 1);
        let again = server.taken().await;
        assert!(first["message_id"].as_str().unwrap().ends_with("@operator.example>"), "{first}");
        assert_eq!(again["message_id"], first["message_id"]);
        // Another e-mail has another.
        books.invoice("10.00").await;
        assert_eq!(deliver(&ctx).await, 1);
        assert_ne!(server.taken().await["message_id"], first["message_id"]);
    }

    async fn what_is_not_taken_is_tried_again_and_given_up_in_the_end(house: TestHouse) {
        let mut server = Server::start().await;
        let ctx = server.sender(&house);
        let books = Books::open(&house).await;
        join(&house, &books, "later@acme.example", Role::Owner).await;
        let invoice = books.invoice("10.00").await;
        let refused = || json!("the mail server did not take it (451)");
        assert_eq!(deliver(&ctx).await, 0);
        assert_eq!(deliver(&ctx).await, 0, "not before a minute");
        assert_eq!(emails(&books, &invoice).await, [is("FINALIZED", "PENDING", 1, refused())]);
        house.hand.advance(Duration::from_secs(60));
        deliver(&ctx).await;
        assert_eq!(emails(&books, &invoice).await, [is("FINALIZED", "PENDING", 2, refused())]);
        house.hand.advance(DAY * 5);
        deliver(&ctx).await;
        assert_eq!(emails(&books, &invoice).await, [is("FINALIZED", "GIVEN_UP", 3, refused())]);
        house.hand.advance(DAY);
        assert_eq!(deliver(&ctx).await, 0);

        // For good at once; and nobody else waits for it.
        house.execute("UPDATE person SET email = 'never@acme.example'", []).await;
        let never = books.invoice("11.00").await;
        let other = Books::open(&house).await;
        join(&house, &other, "owner@other.example", Role::Owner).await;
        other.invoice("12.00").await;
        assert_eq!(deliver(&ctx).await, 1);
        assert_eq!(server.taken().await["recipients"], json!(["owner@other.example"]));
        let fault = json!("the mail server refused it for good (550)");
        assert_eq!(emails(&books, &never).await, [is("FINALIZED", "GIVEN_UP", 1, fault)]);

        // A wrong password is our fault: nothing is lost by it.
        let stranger = sender(&house, &format!("smtp://heliograph:wrong@127.0.0.1:{}", server.port));
        let waiting = other.invoice("13.00").await;
        assert_eq!(deliver(&stranger).await, 0);
        let fault = json!("the mail server did not take it (535)");
        assert_eq!(emails(&other, &waiting).await, [is("FINALIZED", "PENDING", 1, fault)]);
        house.hand.advance(Duration::from_secs(60));
        assert_eq!(deliver(&ctx).await, 1);
        server.taken().await;
    }

    async fn without_a_server_or_anybody_to_tell_it_says_so(house: TestHouse) {
        let books = Books::open(&house).await;
        let invoice = books.invoice("10.00").await;
        assert_eq!(deliver(&house.system()).await, 0);
        let fault = json!("no mail server is set (mail.smtp_url)");
        assert_eq!(emails(&books, &invoice).await, [is("FINALIZED", "GIVEN_UP", 1, fault)]);
        // Nothing listens on port 9.
        let gone = sender(&house, "smtp://127.0.0.1:9");
        let nobody = books.invoice("10.00").await;
        deliver(&gone).await;
        let fault = json!("the account has no billing profile, owner or billing person");
        assert_eq!(emails(&books, &nobody).await, [is("FINALIZED", "GIVEN_UP", 1, fault)]);
        join(&house, &books, "owner@acme.example", Role::Owner).await;
        let waiting = books.invoice("10.00").await;
        deliver(&gone).await;
        let fault = json!("the mail server cannot be reached");
        assert_eq!(emails(&books, &waiting).await, [is("FINALIZED", "PENDING", 1, fault)]);
        // A reminder of what was settled meanwhile says nothing true any more.
        house.hand.advance(DAY * 15);
        invoices::remind(&gone).await.unwrap();
        books.done("voidInvoice", "invoice", json!({ "invoiceId": waiting["id"], "reason": "r" })).await;
        house.hand.advance(DAY);
        for _ in 0..5 {
            deliver(&gone).await;
        }
        let told = emails(&books, &waiting).await;
        let fault = json!("the invoice was settled before the reminder was sent");
        assert_eq!(told[1], is("REMINDER", "GIVEN_UP", 1, fault));
    }
}

//! The PDF: the figures of the API, for whoever may read them there.

use entity::enums::{KeyMode, Role};
use heliograph::authz::{Actor, Scope};
use heliograph::billing::invoices::{self, NewLine, Withheld};
use heliograph::identity::{CreateApiKey, IdentityService, SignedIn, create_api_key};
use heliograph::types::money::Micros;
use serde_json::json;

use super::{Books, DAY, make_monthly};
use crate::graphql_api::person;
use crate::identity::sign_up;
use crate::support::both_stores;

both_stores! {
    async fn a_pdf_says_what_the_api_says(house: TestHouse) {
        let books = Books::open(&house).await;
        books.charge(&house, "USD", "DE", "0.0000375", 3).await;
        books.charge(&house, "USD", "GB", "0.0425", 255).await;
        house.hand.advance(DAY * 28);
        make_monthly(&house).await;
        let invoice = books.documents().await[0].clone();
        let pay = json!({ "invoiceId": invoice["id"], "amount": "1.00", "reference": "r",
            "idempotencyKey": "k" });
        let invoice = books.done("recordPayment", "invoice", pay).await;
        let id = invoice["id"].as_str().unwrap().parse().unwrap();
        let pdf = invoices::pdf(&books.owner, id).await.unwrap().unwrap();
        let number = invoice["number"].as_str().unwrap();
        assert_eq!(pdf.file_name, format!("{number}.pdf"));
        let text = pdf_extract::extract_text_from_mem(&pdf.bytes).unwrap();
        let mut figures = vec![number.to_owned(), "Acme".to_owned()];
        for field in ["subtotal", "total", "amountDue", "amountPaid"] {
            figures.push(invoice[field].as_str().unwrap().to_owned());
        }
        for line in invoice["lines"].as_array().unwrap() {
            figures.push(line["amount"].as_str().unwrap().to_owned());
            figures.extend(line["unitPrice"].as_str().map(str::to_owned));
        }
        for figure in figures {
            assert!(text.contains(&figure), "{figure} in {text}");
        }
        // For a look at it: the test's directory is removed when the test passes.
        std::fs::write(house.directory().join("invoice.pdf"), &pdf.bytes).unwrap();
        let viewer = person(&house, books.account_id, Role::Viewer);
        assert!(invoices::pdf(&viewer, id).await.is_err());
    }

    async fn a_pdf_is_served_to_those_who_read_the_invoice(house: TestHouse) {
        let node = house.serve().await;
        let identity = IdentityService::new(node.platform().clone());
        let nobody = node.ctx_as(Actor::Anonymous);
        let own = identity.sign_up(&nobody, sign_up("ada@example.com")).await.unwrap();
        let other = identity.sign_up(&nobody, sign_up("bob@example.com")).await.unwrap();
        let system = node.ctx_as(Actor::System);
        let draft = async || {
            let draft = invoices::create(&system, own.account.id, None).await.unwrap();
            let amount = Micros(1_000_000);
            let line = NewLine { description: "Setup".to_owned(), quantity: amount, amount };
            invoices::add_line(&system, draft.id, line).await.unwrap().id
        };
        let (invoice, draft) = (draft().await, draft().await);
        invoices::finalize(&system, invoice).await.unwrap();
        let (invoice, draft) = (invoice.to_string(), draft.to_string());
        let credential = async |signed_in: &SignedIn, scope| {
            let token = signed_in.tokens.access_token.expose();
            let ctx = node.ctx_as(identity.authenticate(Some(token)).await.unwrap().actor);
            let (name, mode) = ("key".to_owned(), KeyMode::Test);
            let new = CreateApiKey { name, mode, scopes: vec![scope], expires_at: None };
            create_api_key(&ctx, new).await.unwrap().text.expose().to_owned()
        };
        let get = async |id: &str, credential: Option<&str>| {
            let mut request = node.http.get(format!("{}/invoices/{id}/pdf", node.url));
            if let Some(credential) = credential {
                request = request.bearer_auth(credential);
            }
            request.send().await.unwrap()
        };
        let reads = credential(&own, Scope::BillingRead).await;
        let answer = get(&invoice, Some(&reads)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/pdf");
        assert!(answer.headers()["content-disposition"].to_str().unwrap().contains("INV-"));
        assert!(answer.headers().contains_key("ratelimit"), "it costs points");
        assert!(answer.bytes().await.unwrap().starts_with(b"%PDF-"));
        // The field names this very path.
        let document = "query($id: ID!) { invoice(id: $id) { pdfUrl } }";
        let read = node.graphql(Some(&reads), document, json!({ "id": invoice })).await;
        let url = format!("{}/invoices/{invoice}/pdf", node.url);
        assert_eq!(read["data"]["invoice"]["pdfUrl"], url);

        // The certificate of a year, once there is something to certify.
        let certificate = async |account: &str, year: &str, credential: Option<&str>| {
            let path = format!("accounts/{account}/withholding-certificates/{year}/pdf");
            let mut request = node.http.get(format!("{}/{path}", node.url));
            if let Some(credential) = credential {
                request = request.bearer_auth(credential);
            }
            request.send().await.unwrap()
        };
        let account = own.account.id.to_string();
        let year = 1970 + invoices::Month::of(node.platform().clock.now()).stored().div_euclid(12);
        let path_year = year.to_string();
        assert_eq!(certificate(&account, &path_year, Some(&reads)).await.status(), 404);
        let withheld = Withheld {
            invoice_id: invoice.parse().unwrap(),
            amount: Micros(100_000),
            certificate_number: None,
            withheld_at: None,
            idempotency_key: "k".to_owned(),
        };
        invoices::record_withholding(&system, withheld).await.unwrap();
        let document = "query($year: Int!) { withholdingCertificate(year: $year) { pdfUrl } }";
        let read = node.graphql(Some(&reads), document, json!({ "year": year })).await;
        let year = path_year;
        let url = &read["data"]["withholdingCertificate"]["pdfUrl"];
        assert_eq!(*url, format!("{}/accounts/{account}/withholding-certificates/{year}/pdf", node.url));
        let answer = certificate(&account, &year, Some(&reads)).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.unwrap().starts_with(b"%PDF-"));
        let stranger = credential(&other, Scope::BillingRead).await;
        let sends = credential(&own, Scope::MessagesSend).await;
        for (account, year, credential, status) in [
            (account.as_str(), year.as_str(), None, 401),
            (&account, &year, Some(sends.as_str()), 403),
            (&account, &year, Some(stranger.as_str()), 404),
            ("nonsense", &year, Some(reads.as_str()), 404),
            (&account, "nonsense", Some(reads.as_str()), 404),
        ] {
            let answer = certificate(account, year, credential).await;
            assert_eq!(answer.status(), status, "{account} {year}");
        }

        let sends = credential(&own, Scope::MessagesSend).await;
        let stranger = credential(&other, Scope::BillingRead).await;
        for (id, credential, status) in [
            (invoice.as_str(), None, 401),
            (&invoice, Some("hg_live_wrong"), 401),
            (&invoice, Some(sends.as_str()), 403),
            (&invoice, Some(stranger.as_str()), 404),
            (&draft, Some(reads.as_str()), 404),
            ("nonsense", Some(reads.as_str()), 404),
        ] {
            let answer = get(id, credential).await;
            assert_eq!(answer.status(), status, "{id}");
        }
        node.stop().await;
    }
}

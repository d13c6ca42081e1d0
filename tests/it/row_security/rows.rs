//! A row of each table for two accounts, and the platform's own.

use entity::ids::AccountId;
use uuid::Uuid;

use crate::support::TestHouse;

/// The tenant that asks.
pub const OWN: AccountId = AccountId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
/// Whose rows it must not meet.
pub const STRANGER: AccountId =
    AccountId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002));

/// Tables whose rows the store lets nobody change or remove.
pub const APPEND_ONLY: &[&str] = &["consent_event", "ledger_entry", "ledger_transfer"];

/// A table as the catalogue has it.
#[derive(Debug)]
pub struct Table {
    pub name: String,
    /// Forced row security, by at least one policy.
    pub is_walled: bool,
    /// Whether it has a column `account_id`.
    pub has_account: bool,
    pub first_column: String,
}

impl Table {
    /// The condition that a row is the asking tenant's, said without the policies.
    pub fn is_own(&self) -> String {
        match self.name.as_str() {
            // The person of an account has its id here.
            "account" | "person" => format!("id = '{}'", OWN.0),
            _ if self.has_account => format!("account_id = '{}'", OWN.0),
            _ => "false".to_owned(),
        }
    }
}

/// Rows of an account, whose id is `{a}`, by which everything of it is named.
const OF_ACCOUNT: &[&str] = &[
    "INSERT INTO account VALUES ('{a}', 'A', 0, 0, NULL, 1, 0, 0)",
    "INSERT INTO person VALUES ('{a}', '{a}@example.com', NULL, NULL, 1, 0, 0)",
    "INSERT INTO membership (account_id, person_id, role, created_at_ms, updated_at_ms) \
     VALUES ('{a}', '{a}', 0, 0, 0)",
    "INSERT INTO session VALUES ('{a}', '{a}', '{a}', 0, 0, 1, NULL)",
    "INSERT INTO refresh_token VALUES ('\\x{hex}', '{a}', 0, NULL)",
    "INSERT INTO one_time_link VALUES ('\\x{hex}', 0, '{a}', NULL, 0, 1, NULL)",
    "INSERT INTO api_key VALUES ('{a}', '{a}', 'k', '{a}', '', 0, '', NULL, 0, NULL, NULL, NULL, \
     NULL, 1)",
    "INSERT INTO sender VALUES ('{a}', '{a}', 'Bells', 0, 0, NULL, 1, 0, 0)",
    "INSERT INTO message_text VALUES ('{a}', '{a}', '', 0)",
    "INSERT INTO message VALUES ('{a}', '{a}', 0, 10, 1, false, '+44', 'Bells', 0, '{a}', 0, \
     NULL, 1, NULL, 'GB', 'USD', 0, 0, 0, NULL, NULL, '{a}', 0, 1, 0, NULL, NULL, NULL, NULL, NULL, 0, \
     NULL, 0)",
    "INSERT INTO submission VALUES ('{a}', '{a}', 1, 1, '{a}', NULL, 0, NULL, 0, 0)",
    "INSERT INTO inbound_message VALUES ('{a}', '{a}', '{a}', '+44', '+45', '', 1, 1, 0)",
    "INSERT INTO idempotency VALUES ('{a}', 'o', 'k', '', '', 0)",
    "INSERT INTO event VALUES ('{a}', 1, 0, '{a}', 10, 1, NULL, 0)",
    "INSERT INTO event_counter VALUES ('{a}', 1)",
    "INSERT INTO wallet VALUES ('{a}', 'USD', 0, 0, 0, 0, 0, '', 0)",
    "INSERT INTO ledger_book VALUES ('{a}', 'USD', 0, 1, '', 0)",
    "INSERT INTO ledger_transfer VALUES ('{a}', 'USD', 0, 1, '{a}', 0, 'k', '', NULL, 0, 0, '')",
    "INSERT INTO ledger_entry VALUES ('{a}', 'USD', 0, 1, 0, 0, '', 1, 1)",
    "INSERT INTO usage_day VALUES ('{a}', 'USD', 0, 0, 'GB', 0, 0, 1, 1, 0)",
    "INSERT INTO rollup VALUES ('{a}', 60, 1, 0, false, 'GB', '{a}', '{a}', 'Bells', 0, 'USD', 0, '', \
     1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, NULL, NULL, '{a}', 0, 0)",
    "INSERT INTO rollup_cursor VALUES ('{a}', 1)",
    "INSERT INTO voucher_batch VALUES ('{a}', 'USD', 1, 1, 0, 0)",
    "INSERT INTO voucher VALUES ('\\x{hex}', '{a}', '{a}', 'k', 0)",
    "INSERT INTO voucher_throttle VALUES ('{a}', 0, 0, 0)",
    "INSERT INTO plan VALUES ('{a}', '{a}', 'USD', 0, NULL, 1, 0, 0)",
    "INSERT INTO package VALUES ('{a}', '{a}', 'USD', 0, 0, 1000000, 0, 1, '', 7, NULL, 1, 0, 0)",
    "INSERT INTO granted_package VALUES ('{a}', '{a}', '{a}', 0, 'k', 0, 'USD', 1000000, 0, 0, 0, 0, \
     '', 7, 0, 0, NULL, 0)",
    "INSERT INTO subscription VALUES ('{a}', '{a}', 0, 0, 0, NULL)",
    "INSERT INTO processor_endpoint VALUES ('{a}', 0, '{simple}', '', NULL, NULL, NULL, true, 0, 1, \
     0, 0, NULL)",
    "INSERT INTO payment VALUES ('{a}', '{a}', 0, '{a}', 0, 'USD', 0, NULL, '', '', NULL, NULL, 0, \
     NULL, false, 1, 0, 0, NULL, false, NULL, 0)",
    "INSERT INTO payment_method VALUES ('{a}', '{a}', '{a}', 'c', '{a}', 0, NULL, NULL)",
    "INSERT INTO automatic_top_up VALUES ('{a}', '{a}', 'USD', 0, 1, NULL, 0, NULL, 0, 0, 0, 1, 0, \
     0)",
    "INSERT INTO billing_account VALUES ('{a}', 'USD', 0, NULL, 1, 0, 0)",
    "INSERT INTO billing_profile VALUES ('{a}', 'A', '1', NULL, 'C', NULL, NULL, 'GB', 'a@b', 1, \
     0, 0)",
    "INSERT INTO billing_tax_id VALUES ('{a}', 0, 'eu_vat', '123')",
    "INSERT INTO tax_rate VALUES ('{a}', 't', 0, NULL, NULL, 0)",
    "INSERT INTO account_tax_rate VALUES ('{a}', '{a}')",
    "INSERT INTO invoice VALUES ('{a}', '{a}', 0, 1, 'N', 'USD', NULL, NULL, NULL, NULL, NULL, \
     NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, 1, 0, 0)",
    "INSERT INTO invoice_line VALUES ('{a}', '{a}', 1, 1, 'd', NULL, NULL, NULL, NULL, 1, 0)",
    "INSERT INTO invoice_tax VALUES ('{a}', '{a}', '{a}', 't', 0, 0, 0)",
    "INSERT INTO invoice_allocation VALUES ('{a}', '{a}', '{a}', 0, NULL, 0)",
    "INSERT INTO invoice_reminder VALUES ('{a}', '{a}', 0, 1, 0)",
    "INSERT INTO mail VALUES ('{a}', '{a}', 0, '', NULL, 0, 0, 0, NULL, 0, NULL)",
    "INSERT INTO invoice_counter VALUES ('{a}', 0, 1)",
    "INSERT INTO contact VALUES ('{a}', '{a}', '+447400123456', '\\x{hex}{hex}', 'GB', 1, 0, 0)",
    "INSERT INTO contact_attribute VALUES ('{a}', '{a}', 'city', 0, NULL, 0)",
    "INSERT INTO contact_value VALUES ('{a}', '{a}', '{a}', 'Ulm', NULL)",
    "INSERT INTO contact_tag VALUES ('{a}', '{a}', 'vip')",
    "INSERT INTO contact_list VALUES ('{a}', '{a}', 'All', NULL, 1, 0, 0)",
    "INSERT INTO list_member VALUES ('{a}', '{a}', '{a}', 0)",
    "INSERT INTO segment VALUES ('{a}', '{a}', 'Few', '', 1, 0, 0)",
    "INSERT INTO consent_event VALUES ('{a}', '{a}', '\\x{hex}{hex}', 0, 0, '', 0, '', NULL, NULL, \
     0, 0)",
    "INSERT INTO inbound_keyword VALUES ('{a}', '{a}', 'menu', 3, 'x', 0)",
    "INSERT INTO auto_reply VALUES ('{a}', '{a}', '+44', '+45', 0, 0, NULL, true, 0, NULL, NULL, 0)",
    "INSERT INTO suppression VALUES ('{a}', '\\x{hex}{hex}', 0, '', '{a}', '56', 0, NULL, 0)",
    "INSERT INTO campaign VALUES ('{a}', '{a}', 'Spring', 'Bells', 2, NULL, 'x', '', NULL, 0, NULL, \
     false, NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, NULL, 0, 0, 0, false, 1, 0, 0, \
     NULL, NULL)",
    "INSERT INTO campaign_recipient VALUES ('{a}', '{a}', '{a}', NULL)",
    "INSERT INTO campaign_total VALUES ('{a}', '{a}', 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    "INSERT INTO campaign_variant VALUES ('{a}', '{a}', 1, 'A', 'x', 1)",
    "INSERT INTO invoice_run VALUES ('{a}', 'USD', 0)",
    "INSERT INTO short_link VALUES ('{a}', {number}, '{a}', 'https://a.example', 0)",
    "INSERT INTO link_domain VALUES ('{a}', '{a}', 'go{number}.example', 1, 0, 0, NULL)",
    "INSERT INTO link_click VALUES ('{a}', '{a}', {number}, '{a}', 0, 0, true, 0)",
    "INSERT INTO contact_import VALUES ('{a}', '{a}', 0, NULL, NULL, '', NULL, '\\x{hex}{hex}', 0, 0, 0, \
     0, 0, 1, 0, 0, 0, 0, 0, true, NULL, NULL, 1, 0, 0)",
    "INSERT INTO contact_import_part VALUES ('{a}', '{a}', 0, 0, '')",
    "INSERT INTO contact_export VALUES ('{a}', '{a}', '', NULL, NULL, 0, 0, NULL, NULL, 0)",
];

/// Rows of the installation.
const OF_PLATFORM: &[&str] = &[
    "INSERT INTO login_throttle VALUES ('\\x01', 1, 0, 0)",
    "INSERT INTO signing_key VALUES ('k', '', '', 0, NULL)",
    "INSERT INTO carrier VALUES ('{a}', 'c', 1, '{}', NULL, false, 1, 0, 0)",
    "INSERT INTO carrier_lease VALUES ('{a}', '{a}', 1, 0, 0, NULL, 0)",
    "INSERT INTO route VALUES ('{a}', '44', '{a}', 0, 1, 0)",
    "INSERT INTO parked_receipt VALUES ('{a}', 'x', 1, 1, NULL, NULL, 0)",
    "INSERT INTO inbound_message VALUES ('{unknown}', NULL, '{a}', '+44', '+45', '', 1, 1, 0)",
    "INSERT INTO inbound_part VALUES ('{a}', 1, '{a}', '+44', '+45', 1, 2, '', false, 0)",
    "INSERT INTO rate_card VALUES ('{a}', 'r', 'USD', true, 1, 0, 0)",
    "INSERT INTO rate VALUES ('{a}', '44', -1, 0, 0)",
    "INSERT INTO webhook_event VALUES ('{a}', '{a}', 'e', NULL, '', '', 0, 0, 0, NULL, NULL, 0)",
    "INSERT INTO payment_object VALUES ('{a}', 'o', '{a}')",
    "INSERT INTO payout VALUES ('{a}', 'o', '', 0, 0)",
    "INSERT INTO reconciliation_report VALUES ('{a}', '{a}', 'USD', 0, 0, 0, 0, 0, 0, 0, 0, 0, true, \
     0, 0, 1, 0)",
    "INSERT INTO reconciliation_difference VALUES ('{a}', 0, 0, 's', NULL, NULL)",
    "INSERT INTO job_lease VALUES ('j', '{a}', 0)",
    "INSERT INTO installation VALUES (1, '', 0)",
];

/// Makes all of them, as the platform.
pub async fn fill(house: &TestHouse) {
    for account in [OWN, STRANGER] {
        for sql in OF_ACCOUNT {
            let sql = sql.replace("{a}", &account.0.to_string());
            let sql = sql.replace("{simple}", &account.0.simple().to_string());
            // The last 32 bits of the account's id: no two rows have one number.
            let sql = sql.replace("{number}", &(account.0.as_u128() as u32).to_string());
            house.execute(&sql.replace("{hex}", &account.0.simple().to_string()), []).await;
        }
    }
    for sql in OF_PLATFORM {
        let sql = sql.replace("{a}", &STRANGER.0.to_string());
        house.execute(&sql.replace("{unknown}", &Uuid::max().to_string()), []).await;
    }
}

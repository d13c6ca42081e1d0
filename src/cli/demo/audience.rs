//! The audience of the demo's campaign: contacts from a CSV file, imported as a customer does it, by
//! a signed link, and one row among them that is no contact.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::PATIENCE;
use super::client::{Client, ClientError};
use super::numbers::recipient;
use super::show::Show;
use super::stream::Stream;
use crate::cli::failure::Failure;

/// The contacts' place among the made-up numbers, apart from those of the messages before.
const FIRST: u32 = 500_000;

const DEFINE: &str = "mutation Define { createContactAttribute(input: {key: \"name\", kind: TEXT}) { \
    userErrors { code message } } createList(input: {name: \"Customers\"}) { list { id } userErrors \
    { code message } } }";
const IMPORT: &str = "mutation Import($list: ID!) { importContacts(input: {idempotencyKey: \"demo\", \
    listIds: [$list]}) { import { id uploadUrl } userErrors { code message } } }";

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "contactImportProgress")]
    progress: Progress,
}

#[derive(Deserialize)]
struct Progress {
    import: Option<Import>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Import {
    status: String,
    percent_done: u32,
    created_count: u64,
    failed_count: u64,
}

/// Imports so many contacts of the `round`-th demo on a store onto a new list, and returns its id.
///
/// # Errors
/// If a call is refused, or not just these contacts come of it.
pub(super) async fn import(
    client: &Client,
    round: u32,
    contacts: u32,
    show: &Show,
) -> Result<String, Failure> {
    show.line(&format!("\nimporting {contacts} contacts from a CSV file by a signed link:"));
    let defined = client.call(DEFINE, Value::Null).await.map_err(Failure::new)?;
    let list = text(&defined["createList"], &["list", "id"])?;
    let begun = client.call(IMPORT, json!({ "list": list })).await.map_err(Failure::new)?;
    let id = text(&begun["importContacts"], &["import", "id"])?;
    let url = text(&begun["importContacts"], &["import", "uploadUrl"])?;
    client.upload(&url, file(round, contacts)).await.map_err(Failure::new)?;
    let import = follow(client, &id, show).await?;
    let is_whole = import.status == "FINISHED"
        && import.created_count == u64::from(contacts)
        && import.failed_count == 1;
    is_whole.then_some(list).ok_or_else(|| Failure::new("not just the file's contacts were made"))
}

/// A string of a mutation's payload.
///
/// # Errors
/// What the payload says in its place.
pub(super) fn text(payload: &Value, path: &[&str]) -> Result<String, Failure> {
    let found = path.iter().fold(payload, |value, name| &value[*name]).as_str();
    found.map(str::to_owned).ok_or_else(|| Failure::new(payload["userErrors"].to_string()))
}

fn file(round: u32, contacts: u32) -> String {
    let mut file = "number,name\nno number,Nobody\n".to_owned();
    for contact in 0..contacts {
        let number = recipient(round, FIRST + contact);
        file.push_str(&format!("{number},Customer {}\n", contact + 1));
    }
    file
}

/// Shows the import as it goes on, and returns it once it has ended.
async fn follow(client: &Client, id: &str, show: &Show) -> Result<Import, Failure> {
    let document = format!(
        "subscription Import {{ contactImportProgress(importId: \"{id}\") {{ import {{ status \
         percentDone createdCount failedCount }} }} }}"
    );
    let mut stream = Stream::open(client, &document).await.map_err(Failure::new)?;
    loop {
        let told = timeout(PATIENCE, stream.next::<Data>()).await;
        let told = told.map_err(|_| Failure::new("the import does not go on"))?;
        let told = told.map_err(Failure::new)?;
        let last = told.into_iter().next_back().and_then(|data| data.progress.import);
        let import = last.ok_or_else(|| {
            Failure::new(ClientError::Refused("there is no such import".to_owned()))
        })?;
        show.line(&format!(
            "  {} {} %: {} contacts, rows with faults: {}",
            import.status, import.percent_done, import.created_count, import.failed_count
        ));
        if !["AWAITING_UPLOAD", "UPLOADING", "QUEUED", "RUNNING"].contains(&import.status.as_str())
        {
            return Ok(import);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_each_number_once_and_one_wrong_row() {
        let file = file(2, 1_000);
        let mut numbers: Vec<_> =
            file.lines().skip(2).map(|line| line.split(',').next().unwrap()).collect();
        assert!(numbers.iter().all(|number| number.starts_with('+')));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1_000);
        let first = (0..1_000).map(|n| recipient(2, n)).collect::<std::collections::HashSet<_>>();
        assert!(!numbers.iter().any(|number| first.contains(*number)), "those of the messages");
    }
}

//! A certificate as a PDF, with the figures that the API shows.

use super::{Certificate, CertificateLine, Certified, certificate};
use crate::billing::Whose;
use crate::billing::invoices::pdf::sheet::{Cells, Row};
use crate::billing::invoices::pdf::{self, Pdf};
use crate::billing::invoices::percentage;
use crate::ctx::Ctx;
use crate::error::Failed;

/// The PDF of a year's certificate; none where there is no certificate.
///
/// # Errors
/// As [`certificate`].
pub async fn certificate_pdf(ctx: &Ctx, whose: Whose, year: i32) -> Result<Option<Pdf>, Failed> {
    let Some(found) = certificate(ctx, whose, year).await? else { return Ok(None) };
    let title = format!("Certificate of withholding tax {year}");
    let bytes = pdf::draw(title.clone(), rows(&found, title)).await?;
    Ok(Some(Pdf { file_name: format!("withholding-certificate-{year}.pdf"), bytes }))
}

fn rows(found: &Certificate, title: String) -> Vec<Row> {
    let mut rows = vec![Row::title(title), Row::blank()];
    rows.extend(found.issuer.iter().cloned().map(Row::text));
    rows.extend([Row::blank(), Row::text("To".to_owned())]);
    rows.extend(found.holder.iter().cloned().map(Row::text));
    rows.push(Row::blank());
    let span = format!("Period: {0}-01-01 to {0}-12-31 (UTC)", found.year);
    rows.push(Row::text(span));
    if !found.is_complete {
        rows.push(Row::text("The year is not over: the figures are those of now.".to_owned()));
    }
    rows.push(Row::blank());
    rows.push(Row::cells(Cells {
        text: "Invoice and tax".to_owned(),
        quantity: "Date".to_owned(),
        price: "Taxed".to_owned(),
        amount: found.currency.as_str().to_owned(),
    }));
    rows.push(Row::rule());
    rows.extend(found.lines.iter().map(|line| Row::cells(cells(line))));
    if found.lines_omitted > 0 {
        let text = format!("{} further lines, which the totals include", found.lines_omitted);
        rows.push(Row::text(text));
    }
    rows.push(Row::rule());
    rows.push(Row::sum("Collected in advance".to_owned(), found.collected.to_string()));
    rows.push(Row::sum("Withheld by the customer".to_owned(), found.withheld.to_string()));
    rows
}

fn cells(line: &CertificateLine) -> Cells {
    let (text, price) = match &line.what {
        Certified::Collected { name, rate_millionths, base } => {
            (format!("{} {name} {} %", line.number, percentage(*rate_millionths)), base.to_string())
        }
        Certified::Withheld { certificate_number } => (
            format!(
                "{} withheld by the customer {}",
                line.number,
                certificate_number.as_deref().unwrap_or_default()
            ),
            String::new(),
        ),
    };
    Cells { text, quantity: pdf::date(line.at), price, amount: line.amount.to_string() }
}

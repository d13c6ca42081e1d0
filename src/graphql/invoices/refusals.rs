//! What the mutations about invoices refuse: an error type for each, made of its command's
//! rejection.

use crate::billing::invoices::{
    AddLineRejection, ArchiveTaxRateRejection, CreateInvoiceRejection, CreateTaxRateRejection,
    CreditRejection, DiscardRejection, ExtendRejection, FinalizeRejection, PayRejection,
    ProfileRejection, RecordPaymentRejection, RecordWithholdingRejection, RemoveLineRejection,
    SetAccountTaxRatesRejection, UncollectibleRejection, VoidRejection,
};
use crate::graphql::errors::user_error;

/// Declares the error of a mutation with a code for each variant of its command's rejection, and
/// where in the input it lies.
macro_rules! refusal {
    (
        $(#[$doc:meta])* $error:ident, $(#[$code_doc:meta])* $code:ident, $rejection:ident {
            $($(#[$variant_doc:meta])* $variant:ident $path:expr,)*
        }
    ) => {
        user_error! {
            $(#[$doc])* $error,
            $(#[$code_doc])* $code {
                $($(#[$variant_doc])* $variant,)*
            }
        }

        impl From<$rejection> for $error {
            fn from(rejection: $rejection) -> Self {
                let (code, path): ($code, &[&str]) = match rejection {
                    $($rejection::$variant => ($code::$variant, &$path),)*
                };
                Self::new(code, path, rejection)
            }
        }
    };
}

refusal! {
    /// Why a billing profile was not set.
    SetBillingProfileError,
    /// Why a billing profile was not set, for a program to read.
    SetBillingProfileErrorCode, ProfileRejection {
        /// The legal name is empty, longer than 200 characters, or of several lines.
        InvalidName ["legalName"],
        /// A line of the address is empty, longer than 200 characters, or of several lines.
        InvalidAddress [],
        /// It is not a country's two letters.
        UnknownCountry ["country"],
        /// It is not an e-mail address.
        InvalidEmail ["email"],
        /// A tax id has no sound form.
        InvalidTaxId ["taxIds"],
        /// There are more than 5 tax ids.
        TooManyTaxIds ["taxIds"],
    }
}

refusal! {
    /// Why a tax rate was not made.
    CreateTaxRateError,
    /// Why a tax rate was not made, for a program to read.
    CreateTaxRateErrorCode, CreateTaxRateRejection {
        /// The name is empty, longer than 100 characters, or of several lines.
        InvalidName ["name"],
        /// The percentage is not from 0 to 100, or has more than 4 decimals.
        InvalidPercentage ["percentage"],
        /// It is not a country's two letters.
        UnknownCountry ["country"],
        /// The country has 5 rates, or there are 1,000 in all.
        TooManyTaxRates [],
    }
}

refusal! {
    /// Why a tax rate was not archived.
    ArchiveTaxRateError,
    /// Why a tax rate was not archived, for a program to read.
    ArchiveTaxRateErrorCode, ArchiveTaxRateRejection {
        /// There is no such rate.
        TaxRateNotFound ["taxRateId"],
    }
}

refusal! {
    /// Why an account's tax rates were not set.
    SetAccountTaxRatesError,
    /// Why an account's tax rates were not set, for a program to read.
    SetAccountTaxRatesErrorCode, SetAccountTaxRatesRejection {
        /// There is no such account.
        AccountNotFound ["accountId"],
        /// There is no such rate, or it is archived.
        TaxRateNotFound ["taxRateIds"],
        /// There are more than 5.
        TooManyTaxRates ["taxRateIds"],
    }
}

refusal! {
    /// Why withheld tax was not recorded.
    RecordWithholdingError,
    /// Why withheld tax was not recorded, for a program to read.
    RecordWithholdingErrorCode, RecordWithholdingRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is a draft, paid or void, or a statement or credit note.
        NotPayable ["invoiceId"],
        /// The amount is not above zero, or finer than the currency's minor unit.
        InvalidAmount ["amount"],
        /// It is more than is due.
        AboveDue ["amount"],
        /// The number is empty, longer than 100 characters, or of several lines.
        InvalidCertificateNumber ["certificateNumber"],
        /// The time is before the invoice was finalized, or in the future.
        InvalidTime ["withheldAt"],
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey ["idempotencyKey"],
        /// The key was used with another input.
        IdempotencyKeyReused ["idempotencyKey"],
    }
}

refusal! {
    /// Why an invoice was not given more time.
    ExtendInvoiceError,
    /// Why an invoice was not given more time, for a program to read.
    ExtendInvoiceErrorCode, ExtendRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is a draft, paid, void or given up, or a statement or credit note.
        NotOpen ["invoiceId"],
        /// The time is past, not after the present due time, or more than 366 days ahead.
        InvalidDueAt ["dueAt"],
    }
}

refusal! {
    /// Why a draft was not discarded.
    DiscardInvoiceError,
    /// Why a draft was not discarded, for a program to read.
    DiscardInvoiceErrorCode, DiscardRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is no draft.
        NotADraft ["invoiceId"],
    }
}

refusal! {
    /// Why a draft was not made.
    CreateInvoiceError,
    /// Why a draft was not made, for a program to read.
    CreateInvoiceErrorCode, CreateInvoiceRejection {
        /// There is no such account.
        AccountNotFound ["accountId"],
        /// There is no such month.
        InvalidMonth ["month"],
        /// The month has an invoice or a statement already.
        MonthTaken ["month"],
        /// The account pays beforehand: its months have statements.
        AccountIsPrepaid ["accountId"],
    }
}

refusal! {
    /// Why a line was not added.
    AddInvoiceLineError,
    /// Why a line was not added, for a program to read.
    AddInvoiceLineErrorCode, AddLineRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It was finalized.
        NotADraft ["invoiceId"],
        /// The description is empty, longer than 500 characters, or of several lines.
        InvalidDescription ["description"],
        /// The quantity is not above zero.
        InvalidQuantity ["quantity"],
        /// The amount is finer than the currency's minor unit.
        InvalidAmount ["amount"],
        /// The draft has 500 lines.
        TooManyLines [],
    }
}

refusal! {
    /// Why a line was not removed.
    RemoveInvoiceLineError,
    /// Why a line was not removed, for a program to read.
    RemoveInvoiceLineErrorCode, RemoveLineRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It was finalized.
        NotADraft ["invoiceId"],
        /// The draft has no such line.
        LineNotFound ["number"],
    }
}

refusal! {
    /// Why an invoice was not finalized.
    FinalizeInvoiceError,
    /// Why an invoice was not finalized, for a program to read.
    FinalizeInvoiceErrorCode, FinalizeRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// Its month is not over, or was over for less than an hour.
        MonthNotOver ["invoiceId"],
        /// The account pays beforehand: its months have statements.
        AccountIsPrepaid ["invoiceId"],
        /// It has no lines.
        NoLines ["invoiceId"],
        /// It comes to less than nothing.
        NegativeTotal ["invoiceId"],
    }
}

refusal! {
    /// Why an invoice was not made void.
    VoidInvoiceError,
    /// Why an invoice was not made void, for a program to read.
    VoidInvoiceErrorCode, VoidRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is a draft or paid, or a statement or credit note.
        NotOpen ["invoiceId"],
        /// A part of it was paid.
        PartlyPaid ["invoiceId"],
        /// A credit note was made for it.
        PartlyCredited ["invoiceId"],
        /// The reason is empty, longer than 500 characters, or of several lines.
        InvalidReason ["reason"],
    }
}

refusal! {
    /// Why an invoice was not given up.
    MarkUncollectibleError,
    /// Why an invoice was not given up, for a program to read.
    MarkUncollectibleErrorCode, UncollectibleRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is a draft, paid or void, or a statement or credit note.
        NotOpen ["invoiceId"],
    }
}

refusal! {
    /// Why no credit note was made.
    CreateCreditNoteError,
    /// Why no credit note was made, for a program to read.
    CreateCreditNoteErrorCode, CreditRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is not an invoice, or a draft, or void.
        NotCreditable ["invoiceId"],
        /// The reason is empty, longer than 500 characters, or of several lines.
        InvalidReason ["reason"],
        /// There is no line, or more than 100, or one without a sound description.
        InvalidLines ["lines"],
        /// An amount is not above zero, or finer than the currency's minor unit.
        InvalidAmount ["lines"],
        /// It is more than the invoice has left to credit.
        AboveCreditable ["lines"],
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey ["idempotencyKey"],
        /// The key was used with another input.
        IdempotencyKeyReused ["idempotencyKey"],
    }
}

refusal! {
    /// Why a payment was not recorded.
    RecordPaymentError,
    /// Why a payment was not recorded, for a program to read.
    RecordPaymentErrorCode, RecordPaymentRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// It is not open and was not given up.
        NotPayable ["invoiceId"],
        /// The amount is not above zero, or finer than the currency's minor unit.
        InvalidAmount ["amount"],
        /// The reference is empty, longer than 200 characters, or of several lines.
        InvalidReference ["reference"],
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey ["idempotencyKey"],
        /// The key was used with another input.
        IdempotencyKeyReused ["idempotencyKey"],
    }
}

refusal! {
    /// Why an invoice was not paid.
    PayInvoiceError,
    /// Why an invoice was not paid, for a program to read.
    PayInvoiceErrorCode, PayRejection {
        /// There is no such invoice.
        InvoiceNotFound ["invoiceId"],
        /// Nothing is due of it.
        NotPayable ["invoiceId"],
        /// The account's credit is less than what is due.
        InsufficientBalance ["invoiceId"],
        /// The key is empty or longer than 100 characters.
        InvalidIdempotencyKey ["idempotencyKey"],
        /// The key was used for another invoice.
        IdempotencyKeyReused ["idempotencyKey"],
    }
}

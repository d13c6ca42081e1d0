//! Gives the HTTP edge the files of contacts: which link is which, and what a refusal is to a client.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use crate::contacts::exports;
use crate::contacts::imports::{self, Upload, UploadRejection};
use crate::ctx::{Ctx, Platform};
use crate::error::{Error, Failed};
use crate::http::{BrokenOff, Download, Receiving, RequestId, TransferRefusal, Transfers};

/// The files of contacts.
pub(super) struct ContactFiles(pub(super) Arc<Platform>);

impl ContactFiles {
    fn ctx(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.0), "files of contacts")
    }
}

#[async_trait]
impl Transfers for ContactFiles {
    async fn upload(
        &self,
        link: &str,
        length: Option<u64>,
        request_id: RequestId,
    ) -> Result<Box<dyn Receiving>, TransferRefusal> {
        let begun = imports::begin_upload(&self.ctx(), link, length).await;
        let upload = begun.map_err(|error| upload_refusal(error, request_id))?;
        Ok(Box::new(ReceivedUpload { upload, request_id }))
    }

    async fn download(
        &self,
        link: &str,
        request_id: RequestId,
    ) -> Result<Download, TransferRefusal> {
        let ctx = self.ctx();
        let unavailable = |error: Failed| unavailable(&error, request_id);
        let faults = imports::faults_file(&ctx, link).await;
        if let Some(file) = faults.map_err(|error| unavailable(error.into()))? {
            let name = file.name();
            let bytes = file.text().map(move |text| match text {
                Ok(text) => Ok(Bytes::from(text)),
                Err(error) => {
                    tracing::error!(request.id = %request_id, %error, "a download broke off");
                    Err(BrokenOff)
                }
            });
            return Ok(Download { name, bytes: bytes.boxed() });
        }
        let export = exports::export_file(&ctx, link).await.map_err(unavailable)?;
        let file = export.ok_or(TransferRefusal::NotFound)?;
        let name = file.name();
        let bytes = file.text().map(move |text| match text {
            Ok(text) => Ok(Bytes::from(text)),
            Err(error) => {
                tracing::error!(request.id = %request_id, %error, "a download broke off");
                Err(BrokenOff)
            }
        });
        Ok(Download { name, bytes: bytes.boxed() })
    }
}

struct ReceivedUpload {
    upload: Upload,
    request_id: RequestId,
}

#[async_trait]
impl Receiving for ReceivedUpload {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), TransferRefusal> {
        let written = self.upload.write(bytes).await;
        written.map_err(|error| upload_refusal(error, self.request_id))
    }

    async fn finish(self: Box<Self>) -> Result<(), TransferRefusal> {
        let request_id = self.request_id;
        self.upload.finish().await.map_err(|error| upload_refusal(error, request_id))
    }

    async fn give_up(self: Box<Self>) {
        if let Err(error) = self.upload.give_up().await {
            // The next upload, or the link's end, makes up for it.
            tracing::warn!(request.id = %self.request_id, %error, "cannot give an upload up");
        }
    }
}

fn upload_refusal(error: Error<UploadRejection>, request_id: RequestId) -> TransferRefusal {
    let rejection = match error {
        Error::Rejected(rejection) => rejection,
        Error::Failed(failed) => return unavailable(&failed, request_id),
    };
    match rejection {
        UploadRejection::UnknownLink => TransferRefusal::NotFound,
        UploadRejection::Expired => TransferRefusal::Gone(rejection.to_string()),
        UploadRejection::Used | UploadRejection::UnderWay => {
            TransferRefusal::Conflict(rejection.to_string())
        }
        UploadRejection::TooLarge(bytes_max) => {
            TransferRefusal::TooLarge(usize::try_from(bytes_max).unwrap_or(usize::MAX))
        }
        UploadRejection::Empty | UploadRejection::NotText(_) => {
            TransferRefusal::Unfit(rejection.to_string())
        }
    }
}

fn unavailable(failed: &Failed, request_id: RequestId) -> TransferRefusal {
    let error: &(dyn std::error::Error + 'static) = failed;
    tracing::error!(request.id = %request_id, error, "a file of contacts cannot be served");
    TransferRefusal::Unavailable
}

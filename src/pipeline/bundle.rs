//! The pages of one article as one body, so that they are kept, hashed and re-extracted together: `multipart/related` (RFC
//! 2387), each part with its address and its length. No server's page has this type: such a page would have been rejected.

use std::io;

use url::Url;

use super::pages::Body;
use crate::model::Sha256Hash;

const TYPE: &str = "multipart/related; boundary=";

/// A page of a bundle.
pub(super) struct Part {
    pub(super) url: Url,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Returns the `Content-Type` and the bytes of the bundled pages.
pub(super) fn bundle<'p>(pages: impl Iterator<Item = (&'p Url, &'p Body)> + Clone) -> (String, Vec<u8>) {
    let hashes: Vec<u8> = pages.clone().flat_map(|(_, body)| body.sha256.0).collect();
    // The boundary occurs in none of the pages: such a page would have to contain its own hash.
    let boundary = Sha256Hash::of(hashes).to_string();
    let mut bytes = Vec::with_capacity(pages.clone().map(|(_, body)| body.bytes.len() + 512).sum());
    for (url, body) in pages {
        bytes.extend(format!("--{boundary}\r\nContent-Location: {url}\r\n").into_bytes());
        if let Some(content_type) = &body.content_type {
            bytes.extend(format!("Content-Type: {content_type}\r\n").into_bytes());
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", body.bytes.len()).into_bytes());
        bytes.extend(&body.bytes);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("--{boundary}--\r\n").into_bytes());
    (format!("{TYPE}\"{boundary}\""), bytes)
}

/// Returns whether the content type is that of a bundle.
pub(super) fn is_bundle(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|content_type| content_type.starts_with(TYPE))
}

/// Returns the first page of a bundle, and the others.
pub(super) fn parts(bytes: &[u8]) -> io::Result<(Part, Vec<Part>)> {
    let (first, mut rest) = part(bytes)?.ok_or_else(|| io::Error::other("the bundle has no pages"))?;
    let mut further = Vec::new();
    while let Some((part, behind)) = part(rest)? {
        further.push(part);
        rest = behind;
    }
    if !(rest.starts_with(b"\r\n--") && rest.ends_with(b"--\r\n")) {
        return Err(io::Error::other("the bundle is truncated"));
    }
    Ok((first, further))
}

/// Returns the first part, and the bytes after it.
fn part(bytes: &[u8]) -> io::Result<Option<(Part, &[u8])>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = bytes.windows(END.len()).position(|window| window == END) else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(io::Error::other)?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| *field == name).map(|(_, value)| value)
    };
    let missing = || io::Error::other("a page of the bundle lacks its URL, its length or part of its body");
    let url = field("Content-Location").and_then(|url| Url::parse(url).ok()).ok_or_else(missing)?;
    let length: usize = field("Content-Length").and_then(|length| length.parse().ok()).ok_or_else(missing)?;
    let body = &bytes[end + END.len()..];
    let (body, behind) = body.split_at_checked(length).ok_or_else(missing)?;
    let content_type = field("Content-Type").map(str::to_owned);
    Ok(Some((Part { url, content_type, body: body.to_vec() }, behind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Validators;

    fn body(bytes: &[u8], content_type: Option<&str>) -> Body {
        Body {
            bytes: bytes.to_vec(),
            sha256: Sha256Hash::of(bytes),
            content_type: content_type.map(str::to_owned),
            validators: Validators::default(),
        }
    }

    #[test]
    fn pages_come_out_as_they_went_in() {
        let urls = ["https://courier.example/ferry", "https://courier.example/ferry?page=2"];
        let urls = urls.map(|url| Url::parse(url).unwrap());
        let bodies =
            [body(b"<p>one\r\n\r\n--x--", Some("text/html; charset=iso-8859-1")), body(b"\xff\0", None)];
        let (content_type, bytes) = bundle(urls.iter().zip(&bodies));
        assert!(is_bundle(Some(&content_type)) && !is_bundle(Some("text/html")) && !is_bundle(None));
        let (first, further) = parts(&bytes).unwrap();
        assert_eq!(further.len(), 1);
        for (part, (url, body)) in [first].iter().chain(&further).zip(urls.iter().zip(&bodies)) {
            assert_eq!((&part.url, &part.content_type, &part.body), (url, &body.content_type, &body.bytes));
        }
        for cut in 0..bytes.len() {
            assert!(parts(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}

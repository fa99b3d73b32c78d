//! What names may look like (rule R5).

/// What [`is_subdomain`] accepts, for a sentence.
pub(crate) const SUBDOMAIN: &str = "a DNS subdomain: at most 253 characters, parts of a-z, 0-9 and '-' joined by '.', \
                                    each beginning and ending with a letter or digit";
/// What [`is_label`] accepts, for a sentence.
pub(crate) const LABEL: &str =
    "a DNS label: at most 63 characters of a-z, 0-9 and '-', beginning and ending with a letter or digit";

/// Whether `text` is a DNS label (RFC 1123 section 2.1), in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// Whether `text` is a DNS subdomain, in lower case.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let alphanumeric = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
    let octets = text.as_bytes();
    octets.first().is_some_and(alphanumeric)
        && octets.last().is_some_and(alphanumeric)
        && octets.iter().all(|octet| alphanumeric(octet) || *octet == b'-')
}

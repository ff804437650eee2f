//! Uploads from a page, in headless Chromium.

use crate::libraries::with_server;

#[test]
fn a_page_of_another_origin_uploads_by_forms_and_links() {
    with_server("browser_session.py");
}

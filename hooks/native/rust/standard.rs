//! The standard hook in Rust: a request without the right key is answered with 401; one that has it
//! goes on with X-User. No crates; what it needs of pygw_plugin.h stands below.
//!
//!   - native: {file: libstandard.so, config: {key: "0123456789abcdef01234567", user: anna}}
//!
//! rustc -O --edition 2021 --crate-type cdylib -C panic=abort standard.rs

use std::ffi::c_void;

const ABI: u32 = 1;
/// PYGW_HTTP_LAYOUT of http_views.h: the layout of Span and Header, and of what they stand in.
const LAYOUT: u64 = 0xa4ff4ab61b21520e;
const REQUEST: i32 = 0;
const NEXT: i32 = 0;
const REPLY: i32 = 1;
const FAILED: i32 = 3;

#[repr(C)]
pub struct Span {
    ptr: *const u8,
    len: u32,
}

impl Span {
    /// Good until the function of the phase returns.
    unsafe fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.ptr, self.len as usize)
    }
}

#[repr(C)]
pub struct Header {
    name: Span,
    value: Span,
    id: u16,
    flags: u16,
    reserved: u32,
}

type Fields = unsafe extern "C" fn(*mut c_void, i32, *const u8, u32, *const u8, u32) -> i32;
type Text = unsafe extern "C" fn(*mut c_void, *const u8, u32) -> i32;

/// The members up to the last that is used here; the table only ever grows at its end.
#[repr(C)]
pub struct Host {
    size: u32,
    abi: u32,
    layout: u64,
    request: *const c_void,
    response: *const c_void,
    header_find: unsafe extern "C" fn(*mut c_void, i32, *const u8, u32, *const Header)
        -> *const Header,
    header_next: *const c_void,
    header_set: Fields,
    header_add: Fields,
    header_del: *const c_void,
    method_set: Text,
    path_set: Text,
    query_set: Text,
    status_set: *const c_void,
    reply: unsafe extern "C" fn(*mut c_void, u32, *const u8, u32, *const u8, u32) -> i32,
}

#[repr(C)]
pub struct Call {
    size: u32,
    phase: u8,
    last: u8,
    ctx: *mut c_void,
    host: *const Host,
    request: *const c_void,
    response: *const c_void,
}

#[repr(C)]
pub struct Config {
    size: u32,
    name: Span,
    json: Span,
}

type PhaseFn = unsafe extern "C" fn(*mut c_void, *const Call) -> i32;

#[repr(C)]
pub struct Plugin {
    size: u32,
    abi: u32,
    layout: u64,
    this: *mut c_void,
    request: Option<PhaseFn>,
    request_body: Option<PhaseFn>,
    attempt: Option<PhaseFn>,
    response: Option<PhaseFn>,
    response_body: Option<PhaseFn>,
    log: Option<PhaseFn>,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    error: [u8; 256],
}

struct State {
    key: Vec<u8>,
    user: Vec<u8>,
}

unsafe extern "C" fn on_request(this: *mut c_void, call: *const Call) -> i32 {
    let state = &*(this as *const State);
    let call = &*call;
    let host = &*call.host;
    let name = b"x-api-key";
    let found = (host.header_find)(
        call.ctx, REQUEST, name.as_ptr(), name.len() as u32, std::ptr::null());
    if found.is_null() || (*found).value.bytes() != state.key.as_slice() {
        let kind = b"text/plain";
        let body = b"no such key\n";
        (host.reply)(call.ctx, 401, kind.as_ptr(), kind.len() as u32,
                     body.as_ptr(), body.len() as u32);
        return REPLY;
    }
    let name = b"X-User";
    let error = (host.header_set)(
        call.ctx, REQUEST, name.as_ptr(), name.len() as u32,
        state.user.as_ptr(), state.user.len() as u32);
    if error == 0 { NEXT } else { FAILED }
}

unsafe extern "C" fn destroy(this: *mut c_void) {
    drop(Box::from_raw(this as *mut State));
}

/// The text at "name":"..." in flat JSON without escapes.
fn text_of(json: &str, name: &str) -> Option<Vec<u8>> {
    let mark = format!("\"{name}\":\"");
    let at = json.find(&mark)? + mark.len();
    let text = &json[at..at + json[at..].find('"')?];
    if text.is_empty() || text.contains('\\') { None } else { Some(text.as_bytes().to_vec()) }
}

/// # Safety
/// The gateway calls it with pointers to its own structs.
#[no_mangle]
pub unsafe extern "C" fn pygw_plugin_init(
    host: *const Host, config: *const Config, out: *mut Plugin) -> i32 {
    let out = &mut *out;
    out.abi = ABI;
    out.layout = LAYOUT;
    if (*host).abi != ABI || (*host).layout != LAYOUT {
        return -1;
    }
    let json = String::from_utf8_lossy((*config).json.bytes()).into_owned();
    let (Some(key), Some(user)) = (text_of(&json, "key"), text_of(&json, "user")) else {
        let why = b"config needs key and user\0";
        out.error[..why.len()].copy_from_slice(why);
        return -1;
    };
    out.this = Box::into_raw(Box::new(State { key, user })) as *mut c_void;
    out.request = Some(on_request);
    out.destroy = Some(destroy);
    0
}

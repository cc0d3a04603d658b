// What ThunderbirdTests has Thunderbird do, in its own privileged JavaScript. It stands before each script of a test.
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const patience = 45000;

const deadline = (promise, what) => Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error(`${what}: not within ${patience} ms`)), patience))]);

const succeed = (resolve, reject, what) => status => Components.isSuccessCode(status) ? resolve() : reject(new Error(`${what}: status 0x${(status >>> 0).toString(16)}`));

// Runs what ends with a word to a URL's listener.
function url(what, start) {
  return deadline(new Promise((resolve, reject) => {
    const stop = succeed(resolve, reject, what);
    start({ QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]), OnStartRunningUrl() {}, OnStopRunningUrl: (_, status) => stop(status) });
  }), what);
}

// Runs what ends with a word to the listener of a copy.
function copying(what, start) {
  return deadline(new Promise((resolve, reject) => {
    const stop = succeed(resolve, reject, what);
    start({ QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]), onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId: () => null, onStopCopy: stop });
  }), what);
}

// Waits until something holds; what it gives.
async function until(what, holds) {
  for (const end = Date.now() + patience; ; await new Promise(go => setTimeout(go, 20))) {
    const value = holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${patience} ms`);
  }
}

// Trusts the certificate of a server at a port.
function trust(certificate, ports) {
  const base64 = certificate.replace(/-----[^-]*-----/g, "").replace(/\s/g, "");
  const parsed = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).constructX509FromBase64(base64);
  for (const port of ports) Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService).rememberValidityOverride("127.0.0.1", port, {}, parsed, true);
}

async function remember(origin, user, password) {
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init(origin, null, origin, user, password, "", "");
  await Services.logins.addLoginAsync(login);
}

// Makes an account of kind imap or pop3, with a server to send by; the incoming server's key.
async function addAccount({ kind, port, tls, sendPort, login, password, address, condstore }) {
  Services.io.offline = false;
  const server = MailServices.accounts.createIncomingServer(login, "127.0.0.1", kind);
  server.port = port;
  server.socketType = tls ? Ci.nsMsgSocketType.SSL : Ci.nsMsgSocketType.plain;
  server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
  if (kind == "imap") server.setBoolValue("use_condstore", condstore === true);
  await remember(`${server.localStoreType}://127.0.0.1`, login, password);
  server.valid = true;
  const smtp = MailServices.outgoingServer.createServer("smtp");
  smtp.QueryInterface(Ci.nsISmtpServer).hostname = "127.0.0.1";
  smtp.port = sendPort;
  smtp.socketType = Ci.nsMsgSocketType.alwaysSTARTTLS;
  smtp.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
  smtp.username = login;
  await remember("smtp://127.0.0.1", login, password).catch(() => {});
  const identity = MailServices.accounts.createIdentity();
  identity.email = address;
  identity.fullName = "A Tester";
  identity.smtpServerKey = smtp.key;
  identity.composeHtml = false;
  identity.fccFolderURI = server.serverURI + "/Sent";
  identity.draftsFolderURI = server.serverURI + "/Drafts";
  identity.valid = true;
  const account = MailServices.accounts.createAccount();
  account.addIdentity(identity);
  account.incomingServer = server;
  return server.key;
}

const serverOf = key => MailServices.accounts.getIncomingServer(key);
const inboxOf = key => serverOf(key).rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);

// The folder at a path such as Archive/2026, or null.
function find(key, path) {
  let at = serverOf(key).rootFolder;
  for (const name of path.split("/")) {
    at = at?.subFolders.find(each => each.name == name || (at.isServer && name == "INBOX" && each.flags & Ci.nsMsgFolderFlags.Inbox));
  }
  return at ?? null;
}

function folder(key, path) {
  const found = find(key, path);
  if (!found) throw new Error(`no folder ${path} among ${paths(key)}`);
  return found;
}

const paths = key => serverOf(key).rootFolder.descendants.map(each => decodeURIComponent(each.URI.split("/").slice(3).join("/")));

// Selects a folder, hears what is new in it, and waits until that is done. An update forgets its listener where another one runs; a NOOP that stands in line behind it does not.
function update(key, path) {
  const where = folder(key, path);
  where.updateFolder(null);
  return url(`update of ${path}`, listener => MailServices.imap.noop(where, listener, {}));
}

const headers = where => [...where.messages];

// Messages by UID.
function pick(where, uids) {
  return uids.map(uid => where.GetMessageHeader(uid) ?? (() => { throw new Error(`no message ${uid} in ${where.URI}`); })());
}

// A message as ThunderbirdTests writes it: UID, flags in letters, keywords.
function line(header) {
  const flags = header.flags, keywords = header.getStringProperty("keywords").split(" ").filter(each => each);
  if (flags & Ci.nsMsgMessageFlags.Forwarded) keywords.push("$forwarded");
  const letters = (flags & Ci.nsMsgMessageFlags.IMAPDeleted ? "D" : "") + (header.isFlagged ? "F" : "") + (flags & Ci.nsMsgMessageFlags.Replied ? "R" : "") + (header.isRead ? "S" : "");
  return [header.messageKey, letters, ...keywords.map(each => each.toLowerCase()).sort()].filter(each => each).join(" ");
}

// Waits until a folder holds just these messages, given as lines.
async function holds(key, path, expected) {
  let last = [];
  try {
    await until(path, () => (last = headers(folder(key, path)).sort((a, b) => a.messageKey - b.messageKey).map(line)).join() == expected.join());
  } catch (error) {
    throw new Error(`${error.message}; it holds ${JSON.stringify(last)}, not ${JSON.stringify(expected)}`);
  }
}

// The octets of a message, one character each.
function octets(header) {
  const uri = header.folder.getUriForMsg(header);
  const parts = [];
  return deadline(new Promise((resolve, reject) => {
    const stop = succeed(() => resolve(parts.join("")), reject, uri);
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
      QueryInterface: ChromeUtils.generateQI(["nsIStreamListener", "nsIRequestObserver"]),
      onStartRequest() {},
      onDataAvailable(_, stream, __, count) {
        const reader = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
        reader.setInputStream(stream);
        parts.push(reader.readBytes(count));
      },
      onStopRequest: (_, status) => stop(status),
    }, null, null, false, "", false);
  }), uri);
}

// UIDs of what a search on the server finds.
function search(where, attribute, text) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, where);
  const term = session.createTerm(), value = term.value;
  term.attrib = value.attrib = Ci.nsMsgSearchAttrib[attribute];
  value.str = text;
  term.value = value;
  term.op = Ci.nsMsgSearchOp.Contains;
  term.booleanAnd = true;
  session.appendTerm(term);
  const found = [];
  return deadline(new Promise((resolve, reject) => {
    const stop = succeed(() => resolve(found.sort((a, b) => a - b)), reject, "search");
    session.registerListener({ QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]), onNewSearch() {}, onSearchHit: header => found.push(header.messageKey), onSearchDone: stop }, Ci.nsIMsgSearchSession.allNotifications);
    session.search(null);
  }), "search");
}

async function fileOf(text) {
  const path = await IOUtils.createUniqueFile(PathUtils.profileDir, "message.eml");
  await IOUtils.write(path, Uint8Array.from(text, each => each.charCodeAt(0)));
  const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
  file.initWithPath(path);
  return file;
}

// Sends by submission and files a copy in Sent; ends when both are done.
function send(key, to, subject, text) {
  const identity = MailServices.accounts.findAccountForServer(serverOf(key)).defaultIdentity;
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  Object.assign(fields, { from: identity.email, to, subject, fcc: folder(key, "Sent").URI });
  return deadline(new Promise((resolve, reject) => {
    const listener = {
      QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener", "nsIMsgCopyServiceListener"]),
      onStartSending() {}, onSendProgress() {}, onStatus() {}, onGetDraftFolderURI() {}, onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId: () => null,
      onStopSending: (_, status, message) => Components.isSuccessCode(status) || reject(new Error(`sending: 0x${(status >>> 0).toString(16)} ${message}`)),
      onSendNotPerformed: () => reject(new Error("not sent")),
      onTransportSecurityError: (_, status) => reject(new Error(`TLS: ${status}`)),
      onStopCopy: succeed(resolve, reject, "the copy in Sent"),
    };
    Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend)
      .createAndSendMessage(null, identity, "", fields, false, false, Ci.nsIMsgSend.nsMsgDeliverNow, null, "text/plain", text, null, null, listener, null, "", Ci.nsIMsgCompType.New).catch(reject);
  }), "sending");
}

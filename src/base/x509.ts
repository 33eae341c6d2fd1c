/**
 * X.509 certificates, each with its key on P-256: of an authority that signs, of a server, of a client.
 *
 *     authority  CA, path length 0     signs the two others; its own certificate is signed by itself
 *     server     names and addresses   proves to clients whom they reached (serverAuth)
 *     client     common name           proves to a server who connects (clientAuth)
 *
 * The encoding is @peculiar/asn1-x509's, the cryptography Node's. A key is PKCS #8 in PEM.
 * Source: RFC 5280; RFC 5758 for ecdsa-with-SHA256.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import {isIP} from 'node:net';
import {AsnConvert, OctetString} from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

/** A certificate and the key that it is of, both in PEM. */
export type Credential = {readonly certificate: string; readonly key: string};

export type ValidityPeriod = {readonly notBeforeMs: number; readonly notAfterMs: number};

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const SERIAL_BYTES = 16;

export function issueAuthority(commonName: string, period: ValidityPeriod): Credential {
  return issue(null, commonName, period, [
    extension(id_ce_basicConstraints, new BasicConstraints({cA: true, pathLenConstraint: 0}), true),
    extension(
      id_ce_keyUsage,
      new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign),
      true,
    ),
  ]);
}

/** `commonName` has at most 64 characters (ub-common-name), as names of roles and of clusters do. `names`: host names and IP addresses, e.g. `['localhost', '127.0.0.2', '::1']`. */
export function issueServer(
  authority: Credential,
  commonName: string,
  names: readonly string[],
  period: ValidityPeriod,
): Credential {
  const alternatives = names.map(
    name => new GeneralName(isIP(name) === 0 ? {dNSName: name} : {iPAddress: name}),
  );
  return issue(authority, commonName, period, [
    ...leafExtensions(id_kp_serverAuth),
    extension(id_ce_subjectAltName, new SubjectAlternativeName(alternatives), false),
  ]);
}

export function issueClient(
  authority: Credential,
  commonName: string,
  period: ValidityPeriod,
): Credential {
  return issue(authority, commonName, period, leafExtensions(id_kp_clientAuth));
}

function leafExtensions(usage: string): Extension[] {
  return [
    extension(id_ce_basicConstraints, new BasicConstraints({cA: false}), true),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage([usage]), false),
  ];
}

function issue(
  authority: Credential | null,
  commonName: string,
  period: ValidityPeriod,
  extensions: readonly Extension[],
): Credential {
  const {privateKey, publicKey} = generateKeyPairSync('ec', {namedCurve: 'P-256'});
  const key = privateKey.export({type: 'pkcs8', format: 'pem'}).toString();
  const ownKey = publicKeyInfo(publicKey.export({type: 'spki', format: 'der'}));
  const subject = nameOf(commonName);
  const issuer = authority === null ? null : parse(authority.certificate);
  const issuerKey = issuer?.subjectPublicKeyInfo ?? ownKey;
  const algorithm = new AlgorithmIdentifier({algorithm: ECDSA_WITH_SHA256});
  const body = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: algorithm,
    issuer: issuer?.subject ?? subject,
    validity: new Validity({
      notBefore: new Date(period.notBeforeMs),
      notAfter: new Date(period.notAfterMs),
    }),
    subject,
    subjectPublicKeyInfo: ownKey,
    extensions: new Extensions([
      ...extensions,
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(ownKey)), false),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({keyIdentifier: new KeyIdentifier(keyIdentifier(issuerKey))}),
        false,
      ),
    ]),
  });
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(body)), authority?.key ?? key);
  const certificate = new Certificate({
    tbsCertificate: body,
    signatureAlgorithm: algorithm,
    signatureValue: arrayBuffer(signature),
  });
  const der = Buffer.from(AsnConvert.serialize(certificate));
  return {certificate: new X509Certificate(der).toString(), key};
}

function parse(pem: string): TBSCertificate {
  const {raw} = new X509Certificate(pem);
  return AsnConvert.parse(arrayBuffer(raw), Certificate).tbsCertificate;
}

/** Positive, and of no more bytes than the 20 that RFC 5280 allows. */
function serialNumber(): ArrayBuffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return arrayBuffer(bytes);
}

function nameOf(commonName: string): Name {
  const attribute = (type: string, text: string): RelativeDistinguishedName =>
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({type, value: new AttributeValue({utf8String: text})}),
    ]);
  return new Name([attribute(ORGANIZATION, 'Borealis'), attribute(COMMON_NAME, commonName)]);
}

function extension(extnID: string, value: object, critical: boolean): Extension {
  return new Extension({extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value))});
}

function publicKeyInfo(der: Buffer): SubjectPublicKeyInfo {
  return AsnConvert.parse(arrayBuffer(der), SubjectPublicKeyInfo);
}

function keyIdentifier({subjectPublicKey}: SubjectPublicKeyInfo): ArrayBuffer {
  return arrayBuffer(createHash('sha1').update(Buffer.from(subjectPublicKey)).digest());
}

function arrayBuffer(bytes: Buffer): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** Whether `credential`'s key is that of its certificate, and `authority` signed it. */
export function isIssuedBy(credential: Credential, authority: string): boolean {
  const certificate = new X509Certificate(credential.certificate);
  const issuer = new X509Certificate(authority);
  return (
    certificate.publicKey.equals(createPublicKey(credential.key)) &&
    certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey)
  );
}

export function validityOf(certificate: string): ValidityPeriod {
  const {validFrom, validTo} = new X509Certificate(certificate);
  return {notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo)};
}

/** Whether a certificate that a client showed is one for clients that `authority` signed, and good now. */
export function isClientOf(shown: X509Certificate, authority: string, nowMs: number): boolean {
  const issuer = new X509Certificate(authority);
  // Of a certificate that says no use it is undefined, whatever the types say.
  const uses = [shown.keyUsage].flat();
  return (
    shown.checkIssued(issuer) &&
    shown.verify(issuer.publicKey) &&
    uses.includes(id_kp_clientAuth) &&
    Date.parse(shown.validFrom) <= nowMs &&
    nowMs <= Date.parse(shown.validTo)
  );
}

/** DescribeCertificates: the one authority that signs what the endpoints show. */
import type {
  Certificate,
  CertificateMessage,
  DescribeCertificatesMessage,
} from '@aws-sdk/client-rds';
import {AUTHORITY_IDENTIFIER, describeAuthority} from '../certificates.ts';
import {certificateNotFound} from '../faults.ts';
import {applyFilters, page} from '../listing.ts';
import type {World} from '../world.ts';

export function describeCertificates(
  world: World,
  input: DescribeCertificatesMessage,
): CertificateMessage {
  const wanted = input.CertificateIdentifier ?? '';
  if (wanted !== '' && wanted.toLowerCase() !== AUTHORITY_IDENTIFIER) {
    throw certificateNotFound(wanted);
  }
  const {identifier, thumbprint, validFrom, validTill} = describeAuthority(
    world.certificates.authority,
  );
  const certificate: Certificate = {
    CertificateIdentifier: identifier,
    CertificateType: 'CA',
    Thumbprint: thumbprint,
    ValidFrom: validFrom,
    ValidTill: validTill,
    // Of nobody's account, as RDS's own.
    CertificateArn: `arn:aws:rds:${world.catalog.identity.region}::cert:${identifier}`,
    CustomerOverride: false,
  };
  const {records, Marker} = page(
    applyFilters([certificate], input.Filters, {}),
    () => identifier,
    input,
  );
  return {Certificates: [...records], DefaultCertificateForNewLaunches: identifier, Marker};
}

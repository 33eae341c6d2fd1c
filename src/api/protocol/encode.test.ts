import {AddTagsToResource$, DescribeDBClusters$} from '@aws-sdk/client-rds';
import {expect, it} from 'vitest';
import {encodeError, encodeResult} from './encode.ts';

it('wraps a result and writes an empty list as an empty element', () => {
  const created = new Date('2026-11-22T19:45:00Z');
  const cluster = {DBClusterIdentifier: 'a<&>b', ClusterCreateTime: created, TagList: []};
  expect(encodeResult(DescribeDBClusters$, {DBClusters: [cluster]}, 'id-1')).toBe(
    '<DescribeDBClustersResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">' +
      '<DescribeDBClustersResult><DBClusters><DBCluster>' +
      '<DBClusterIdentifier>a&lt;&amp;&gt;b</DBClusterIdentifier>' +
      '<ClusterCreateTime>2026-11-22T19:45:00Z</ClusterCreateTime><TagList/>' +
      '</DBCluster></DBClusters></DescribeDBClustersResult>' +
      '<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DescribeDBClustersResponse>',
  );
});

it('answers an action without output with metadata alone', () => {
  expect(encodeResult(AddTagsToResource$, {}, 'id-1')).toBe(
    '<AddTagsToResourceResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">' +
      '<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></AddTagsToResourceResponse>',
  );
});

it('says whose fault an error is and replaces what XML cannot carry', () => {
  const answer = {code: 'MalformedInput', status: 400, message: 'a\u0000b', requestId: 'id-1'};
  expect(encodeError(answer)).toBe(
    '<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">' +
      '<Error><Type>Sender</Type><Code>MalformedInput</Code><Message>a\uFFFDb</Message></Error>' +
      '<RequestId>id-1</RequestId></ErrorResponse>',
  );
  expect(encodeError({...answer, status: 500})).toContain('<Type>Receiver</Type>');
});

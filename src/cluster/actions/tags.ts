/** AddTagsToResource, RemoveTagsFromResource and ListTagsForResource. */
import type {
  AddTagsToResourceMessage,
  ListTagsForResourceMessage,
  RemoveTagsFromResourceMessage,
  Tag,
  TagListMessage,
} from '@aws-sdk/client-rds';
import type {BorealisError} from '../../base/errors.ts';
import {
  clusterNotFound,
  endpointNotFound,
  groupNotFound,
  instanceNotFound,
  invalidValue,
  missingParameter,
  subscriptionNotFound,
} from '../faults.ts';
import {parseArn, quoted} from '../identifiers.ts';
import {applyFilters} from '../listing.ts';
import {groupTable} from '../parameter-groups.ts';
import type {GroupScope} from '../parameters.ts';
import {subnetGroupNotFound} from '../subnet-groups.ts';
import {parseTags} from '../settings.ts';
import type {World} from '../world.ts';

/** Where the tags of one kind of resource are. */
type Tagged = {
  read(world: World, name: string): readonly Tag[] | undefined;
  /** Inside a transaction. */
  write(world: World, name: string, tags: readonly Tag[]): void;
  notFound(name: string): BorealisError;
};

/** By the resource type in an ARN. */
const TAGGED: Readonly<Record<string, Tagged>> = {
  cluster: {
    read: ({catalog}, name) => catalog.clusters.get(name)?.settings.tags,
    write: ({catalog}, name, tags) =>
      catalog.clusters.update(name, record => ({
        ...record,
        settings: {...record.settings, tags},
      })),
    notFound: clusterNotFound,
  },
  db: {
    read: ({catalog}, name) => catalog.instances.get(name)?.tags,
    write: ({catalog}, name, tags) => catalog.instances.update(name, record => ({...record, tags})),
    notFound: instanceNotFound,
  },
  /** Custom endpoints; those that every cluster has, have no ARN. */
  'cluster-endpoint': {
    read: ({catalog}, name) => catalog.clusterEndpoints.get(name)?.tags,
    write: ({catalog}, name, tags) =>
      catalog.clusterEndpoints.update(name, record => ({...record, tags})),
    notFound: endpointNotFound,
  },
  'cluster-pg': taggedGroup('cluster'),
  pg: taggedGroup('instance'),
  es: {
    read: ({catalog}, name) => catalog.eventSubscriptions.get(name)?.tags,
    write: ({catalog}, name, tags) =>
      catalog.eventSubscriptions.update(name, record => ({...record, tags})),
    notFound: subscriptionNotFound,
  },
  subgrp: {
    read: ({catalog}, name) => catalog.subnetGroups.get(name)?.tags,
    write: ({catalog}, name, tags) =>
      catalog.subnetGroups.update(name, record => ({...record, tags})),
    notFound: subnetGroupNotFound,
  },
};

function taggedGroup(scope: GroupScope): Tagged {
  return {
    // Default groups have no tags, and take none.
    read: (world, name) => groupTable(world, scope).get(name)?.tags,
    write: (world, name, tags) =>
      groupTable(world, scope).update(name, record => ({...record, tags})),
    notFound: groupNotFound,
  };
}

/** A key that is there already gets the new value. */
export function addTagsToResource(world: World, input: AddTagsToResourceMessage): object {
  if (input.Tags === undefined) throw missingParameter('Tags');
  const added = parseTags(input.Tags);
  return changeTags(world, input.ResourceName, old => {
    const keys = new Set(added.map(tag => tag.Key));
    return [...old.filter(tag => !keys.has(tag.Key)), ...added];
  });
}

/** A key that is not there is no fault. */
export function removeTagsFromResource(world: World, input: RemoveTagsFromResourceMessage): object {
  const {TagKeys: keys} = input;
  if (keys === undefined) throw missingParameter('TagKeys');
  return changeTags(world, input.ResourceName, old =>
    old.filter(tag => !keys.includes(tag.Key ?? '')),
  );
}

export function listTagsForResource(
  world: World,
  input: ListTagsForResourceMessage,
): TagListMessage {
  const {tagged, name} = resourceOf(world, input.ResourceName);
  const tags = tagged.read(world, name);
  if (tags === undefined) throw tagged.notFound(name);
  return {TagList: applyFilters(tags, input.Filters, {})};
}

function changeTags(
  world: World,
  arn: string | undefined,
  change: (old: readonly Tag[]) => readonly Tag[],
): object {
  const {tagged, name} = resourceOf(world, arn);
  world.catalog.transaction(() => {
    const old = tagged.read(world, name);
    if (old === undefined) throw tagged.notFound(name);
    tagged.write(world, name, parseTags(change(old)));
  });
  return {};
}

function resourceOf(world: World, arn: string | undefined): {tagged: Tagged; name: string} {
  const {type, name} = parseArn('ResourceName', arn, world.catalog.identity);
  const tagged = Object.hasOwn(TAGGED, type) ? TAGGED[type] : undefined;
  if (tagged !== undefined) return {tagged, name};
  throw invalidValue(
    `The parameter ResourceName has a resource type without tags: ${quoted(type)}. With tags are ${Object.keys(TAGGED).join(', ')}.`,
  );
}

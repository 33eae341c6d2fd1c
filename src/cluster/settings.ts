/** Members of a request that are kept and shown back: windows, tags, groups, zones. */
import type {Tag, TagSpecification} from '@aws-sdk/client-rds';
import {invalidCombination, invalidValue} from './faults.ts';
import {quoted} from './identifiers.ts';
import {parseInteger} from './members.ts';
import type {ClusterSettings} from './records.ts';
import type {SettingsRules} from './settings-rules.ts';

/** As in RDS. */
const TAGS_MAX = 50;
const TAG_KEY_LENGTH_MAX = 128;
const TAG_VALUE_LENGTH_MAX = 256;
const GROUPS_MAX = 50;
const BACKUP_DAYS_MAX = 35;
const BACKTRACK_SECONDS_MAX = 72 * 60 * 60;

const WINDOW_MINUTES_MIN = 30;
/** Full hours at which windows begin that a request leaves to us, from the small hours on. */
const HOURS = Array.from({length: 21}, (_, index) => String(index + 3).padStart(2, '0'));

const TIME = '(?:[01][0-9]|2[0-3]):[0-5][0-9]';
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)';
const BACKUP_WINDOW = new RegExp(`^${TIME}-${TIME}$`);
const MAINTENANCE_WINDOW = new RegExp(`^${DAY}:${TIME}-${DAY}:${TIME}$`, 'i');

export type SettingsInput = {
  readonly AvailabilityZones?: string[] | undefined;
  readonly BackupRetentionPeriod?: number | undefined;
  readonly PreferredBackupWindow?: string | undefined;
  readonly PreferredMaintenanceWindow?: string | undefined;
  readonly DBClusterParameterGroupName?: string | undefined;
  readonly DBSubnetGroupName?: string | undefined;
  readonly VpcSecurityGroupIds?: string[] | undefined;
  readonly BacktrackWindow?: number | undefined;
  readonly CopyTagsToSnapshot?: boolean | undefined;
  readonly AutoMinorVersionUpgrade?: boolean | undefined;
  readonly DeletionProtection?: boolean | undefined;
  readonly EnableIAMDatabaseAuthentication?: boolean | undefined;
  readonly Tags?: Tag[] | undefined;
  readonly TagSpecifications?: TagSpecification[] | undefined;
};

/** `absent` fills what the request leaves out. */
export function parseSettings(
  input: SettingsInput,
  absent: ClusterSettings,
  rules: SettingsRules,
): ClusterSettings {
  const {DBSubnetGroupName: groupName} = input;
  const group =
    groupName === undefined || groupName === '' ? undefined : rules.subnetGroup(groupName);
  // A cluster's pages are in every zone of the store; those that are named are shown beside them, as in RDS.
  for (const zone of input.AvailabilityZones ?? []) {
    parseZone('AvailabilityZones', zone, group?.zones ?? rules.zones);
  }
  const backupWindow = parseWindow(
    'PreferredBackupWindow',
    input.PreferredBackupWindow ?? absent.preferredBackupWindow,
    BACKUP_WINDOW,
    'hh24:mi-hh24:mi',
  );
  const maintenanceWindow = parseMaintenanceWindow(
    input.PreferredMaintenanceWindow ?? absent.preferredMaintenanceWindow,
  );
  refuseOverlap(backupWindow, maintenanceWindow);
  return {
    backupRetentionDays: parseInteger('BackupRetentionPeriod', input.BackupRetentionPeriod, {
      min: 1,
      max: BACKUP_DAYS_MAX,
      absent: absent.backupRetentionDays,
    }),
    preferredBackupWindow: backupWindow,
    preferredMaintenanceWindow: maintenanceWindow,
    parameterGroupName:
      input.DBClusterParameterGroupName === undefined
        ? absent.parameterGroupName
        : rules.parameterGroup(input.DBClusterParameterGroupName),
    subnetGroupName: group?.name ?? absent.subnetGroupName,
    vpcSecurityGroupIds: limited(
      'VpcSecurityGroupIds',
      input.VpcSecurityGroupIds ?? absent.vpcSecurityGroupIds,
      GROUPS_MAX,
    ),
    copyTagsToSnapshot: input.CopyTagsToSnapshot ?? absent.copyTagsToSnapshot,
    backtrackWindowSeconds: parseInteger('BacktrackWindow', input.BacktrackWindow, {
      min: 0,
      max: BACKTRACK_SECONDS_MAX,
      absent: absent.backtrackWindowSeconds,
    }),
    autoMinorVersionUpgrade: input.AutoMinorVersionUpgrade ?? absent.autoMinorVersionUpgrade,
    deletionProtection: input.DeletionProtection ?? absent.deletionProtection,
    namedZones: isGiven(input.AvailabilityZones) ? input.AvailabilityZones : absent.namedZones,
    iamAuthentication: input.EnableIAMDatabaseAuthentication ?? absent.iamAuthentication,
    tags: parseTags(input.Tags ?? tagsFor('cluster', input.TagSpecifications) ?? absent.tags),
  };
}

function isGiven(list: readonly string[] | undefined): list is readonly string[] {
  return list !== undefined && list.length > 0;
}

export function parseMaintenanceWindow(value: string): string {
  const form = 'ddd:hh24:mi-ddd:hh24:mi';
  return parseWindow('PreferredMaintenanceWindow', value, MAINTENANCE_WINDOW, form).toLowerCase();
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTES_A_DAY = 24 * 60;
const MINUTES_A_WEEK = 7 * MINUTES_A_DAY;

/** Whether a window such as `sun:23:45-mon:00:15` (UTC) is open at that time. */
export function isWithinWindow(window: string, nowMs: number): boolean {
  const [begin = 0, end = 0] = window.split('-').map(minuteOfWeek);
  const now = new Date(nowMs);
  const minute = now.getUTCDay() * MINUTES_A_DAY + now.getUTCHours() * 60 + now.getUTCMinutes();
  return minutesFrom(begin, minute, MINUTES_A_WEEK) < minutesFrom(begin, end, MINUTES_A_WEEK);
}

/** Of `sun:04:00`, or of `04:00` on the first day. */
function minuteOfWeek(text: string): number {
  const [minute, hour, day = 'sun'] = text.toLowerCase().split(':').reverse();
  return DAYS.indexOf(day) * MINUTES_A_DAY + Number(hour) * 60 + Number(minute);
}

/** Tags of a TagSpecification for that kind of resource. */
export function tagsFor(
  resourceType: 'cluster' | 'db-instance',
  specifications: readonly TagSpecification[] | undefined,
): Tag[] | undefined {
  return specifications?.find(each => each.ResourceType === resourceType)?.Tags;
}

export function parseTags(tags: readonly Tag[]): Tag[] {
  const values = new Map<string, string>();
  for (const {Key: key, Value: value = ''} of limited('Tags', tags, TAGS_MAX)) {
    if (key === undefined || key.length < 1 || key.length > TAG_KEY_LENGTH_MAX) {
      throw invalidValue(`The key of a tag must have 1 to ${TAG_KEY_LENGTH_MAX} characters.`);
    }
    if (/^(?:aws|rds):/i.test(key)) {
      throw invalidValue(`The tag key ${quoted(key)} begins with a prefix that is reserved.`);
    }
    if (value.length > TAG_VALUE_LENGTH_MAX) {
      throw invalidValue(
        `The value of the tag ${quoted(key)} has more than ${TAG_VALUE_LENGTH_MAX} characters.`,
      );
    }
    if (values.has(key)) throw invalidValue(`The tag key ${quoted(key)} is given twice.`);
    values.set(key, value);
  }
  return Array.from(values, ([Key, Value]) => ({Key, Value}));
}

export function parseZone(
  member: string,
  value: string | undefined,
  zoneNames: readonly string[],
): string {
  const zone = value ?? zoneNames[0] ?? '';
  if (zoneNames.includes(zone)) return zone;
  throw invalidValue(
    `The parameter ${member} names an unknown Availability Zone: ${quoted(zone)}. Here: ${zoneNames.join(', ')}.`,
  );
}

function parseWindow(member: string, value: string, form: RegExp, shown: string): string {
  if (!form.test(value)) {
    throw invalidValue(
      `The parameter ${member} must have the form ${shown}. Given: ${quoted(value)}`,
    );
  }
  const [begin = '', end = ''] = value.split('-');
  const period = begin.includes(':', 3) ? MINUTES_A_WEEK : MINUTES_A_DAY;
  if (minutesFrom(minuteOfWeek(begin), minuteOfWeek(end), period) >= WINDOW_MINUTES_MIN) {
    return value;
  }
  throw invalidValue(
    `The parameter ${member} must be at least ${WINDOW_MINUTES_MIN} minutes long. Given: ${quoted(value)}`,
  );
}

function refuseOverlap(backup: string, maintenance: string): void {
  if (areApart(backup, maintenance)) return;
  throw invalidCombination(
    `The backup window and maintenance window must not overlap: ${quoted(backup)} and ${quoted(maintenance)}.`,
  );
}

/** The one comes every day, the other one once a week. */
function areApart(backup: string, maintenance: string): boolean {
  const [daily = 0, dailyEnd = 0] = backup.split('-').map(minuteOfWeek);
  const [weekly = 0, weeklyEnd = 0] = maintenance.split('-').map(minuteOfWeek);
  return (
    minutesFrom(daily, weekly, MINUTES_A_DAY) >= minutesFrom(daily, dailyEnd, MINUTES_A_DAY) &&
    minutesFrom(weekly, daily, MINUTES_A_DAY) >= minutesFrom(weekly, weeklyEnd, MINUTES_A_WEEK)
  );
}

type Windows = {readonly backup: string; readonly maintenance: string};

/** Those of a new cluster that names none or one: apart from that one. */
export function defaultWindows(input: SettingsInput): Windows {
  const {PreferredBackupWindow: backup, PreferredMaintenanceWindow: maintenance} = input;
  const choices = HOURS.map((hour, index): Windows => ({
    backup: backup ?? `${hour}:00-${hour}:30`,
    maintenance:
      maintenance ?? `sun:${HOURS[index + 1] ?? '00'}:00-sun:${HOURS[index + 1] ?? '00'}:30`,
  }));
  const [first = {backup: '', maintenance: ''}] = choices;
  return choices.find(each => areApart(each.backup, each.maintenance)) ?? first;
}

/** From one minute to the next time that it is another one. */
function minutesFrom(begin: number, end: number, period: number): number {
  return (((end - begin) % period) + period) % period;
}

function limited<T>(member: string, list: readonly T[], max: number): readonly T[] {
  if (list.length <= max) return list;
  throw invalidValue(
    `The parameter ${member} has ${list.length} entries; at most ${max} are allowed.`,
  );
}

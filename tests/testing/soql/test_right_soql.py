"""Right SOQL of many kinds is answered. The other tests of this folder say with which rows."""

from __future__ import annotations

import pytest

RIGHT = r"""
SELECT Name FROM Account WHERE Name LIKE 'A%' AND (NOT Name LIKE 'B%')
SELECT Name, (SELECT LastName FROM Contacts WHERE LastName != null ORDER BY LastName LIMIT 5) FROM Account LIMIT 2
SELECT Id FROM Account WHERE CreatedDate > 2005-10-08T01:02:03Z
SELECT Id FROM Account WHERE CreatedDate > 2005-10-08T01:02:03.123+05:30
SELECT Amount FROM Opportunity WHERE CALENDAR_YEAR(CreatedDate) = 2011
SELECT CALENDAR_YEAR(CreatedDate), SUM(Amount) FROM Opportunity GROUP BY CALENDAR_YEAR(CreatedDate)
SELECT CALENDAR_YEAR(CreatedDate) cy, SUM(Amount) FROM Opportunity GROUP BY CALENDAR_YEAR(CreatedDate) ORDER BY CALENDAR_YEAR(CreatedDate)
SELECT HOUR_IN_DAY(convertTimezone(CreatedDate)), SUM(Amount) FROM Opportunity GROUP BY HOUR_IN_DAY(convertTimezone(CreatedDate))
SELECT Name n, MAX(Amount) max FROM Opportunity GROUP BY Name
SELECT Name, MAX(Amount), MIN(Amount) min, SUM(Amount) FROM Opportunity GROUP BY Name
SELECT COUNT_DISTINCT(Company) FROM Lead
SELECT Status, COUNT(Name) cnt FROM Lead GROUP BY ROLLUP(Status)
SELECT Status, Company, GROUPING(Status) grpS, GROUPING(Company) grpC, COUNT(Name) cnt FROM Lead GROUP BY ROLLUP(Status, Company)
SELECT Status, COUNT(Id) FROM Lead GROUP BY CUBE(Status)
SELECT Name, Count(Id) FROM Account GROUP BY Name HAVING Count(Id) > 1
SELECT Name, Count(Id) FROM Account GROUP BY Name HAVING Count(Id) > 1 AND Name LIKE 'T%' ORDER BY Count(Id) DESC LIMIT 3
SELECT Id, Who.FirstName, Who.LastName FROM Task WHERE Owner.FirstName LIKE 'B%'
SELECT Id FROM Event WHERE What.Type IN ('Account', 'Opportunity')
SELECT TYPEOF What WHEN Account THEN Phone, NumberOfEmployees WHEN Opportunity THEN Amount, CloseDate ELSE Name END FROM Event
SELECT TYPEOF Owner WHEN User THEN Id WHEN Group THEN Name END FROM Case
SELECT Id, toLabel(Status) st FROM Case
SELECT FORMAT(Amount) Amt FROM Opportunity
SELECT FORMAT(MIN(CloseDate)) Amt FROM Opportunity
SELECT FORMAT(convertCurrency(Amount)) Amt FROM Opportunity
SELECT convertCurrency(AnnualRevenue) FROM Account
SELECT Id FROM Account WHERE AnnualRevenue > USD5000
SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity WHERE StageName = 'Closed Lost')
SELECT Id FROM Task WHERE WhoId IN (SELECT Id FROM Contact WHERE FirstName = 'x')
SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id NOT IN (SELECT AccountId FROM Opportunity WHERE IsClosed = false)
SELECT Id FROM Account USING SCOPE Mine
SELECT Name FROM Account ORDER BY Name DESC NULLS LAST
SELECT Name FROM Account ORDER BY Industry ASC NULLS FIRST, Id
SELECT Name FROM Account WITH SECURITY_ENFORCED
SELECT Id FROM Account ALL ROWS
SELECT Name, Id FROM Account LIMIT 1 FOR VIEW
SELECT Id FROM Account FOR REFERENCE
SELECT a.Name FROM Account a WHERE a.Industry IN ('x','y')
SELECT COUNT() FROM Contact c, c.Account a WHERE a.Name = 'MyriadPubs'
SELECT COUNT() FROM Account
SELECT COUNT(Id), COUNT(Name) FROM Account
SELECT FIELDS(STANDARD) FROM Account
SELECT FIELDS(ALL) FROM Account LIMIT 200
SELECT Id FROM Account WHERE Regions__c INCLUDES ('North;South','West')
SELECT Id FROM Account WHERE Regions__c EXCLUDES ('North')
SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:30 AND CreatedDate >= N_DAYS_AGO:3
SELECT Id FROM Account WHERE CreatedDate > LAST_N_FISCAL_QUARTERS:6
SELECT Id FROM Account WHERE CreatedDate = LAST_90_DAYS
SELECT Id FROM Account WHERE CreatedDate < N_FISCAL_YEARS_AGO:2
SELECT Id FROM Account WHERE NumberOfEmployees != 5 AND AnnualRevenue >= 1.5e3
SELECT Id FROM Account WHERE IsDeleted = FALSE
SELECT Id FROM Account WHERE Name = 'Bob\'s BBQ'
SELECT Name FROM Account WHERE Name = ''
SELECT Id FROM Contact WHERE Account.Owner.Profile.Name = 'x'
SELECT DAY_ONLY(convertTimezone(CreatedDate)) d, COUNT(Id) FROM Account GROUP BY DAY_ONLY(convertTimezone(CreatedDate))
SELECT Account.Name n, COUNT(Id) FROM Contact GROUP BY Account.Name
SELECT AccountId, COUNT(Id) c FROM Contact GROUP BY AccountId ORDER BY c DESC
SELECT AccountId, COUNT(Id) c FROM Contact GROUP BY AccountId HAVING COUNT(Id) IN (1, 2)
SELECT MAX(CreatedDate) FROM Account
SELECT AVG(Amount) FROM Opportunity
SELECT BillingAddress FROM Account LIMIT 1
SELECT Id, BillingLatitude FROM Account WHERE BillingLatitude > 40
SELECT Name, toLabel(Industry), Id FROM Account WHERE toLabel(Industry) = 'Energy' ORDER BY Name
SELECT Name FROM Account LIMIT 5 OFFSET 5
SELECT Id FROM Account WHERE Name IN ('a') AND Name NOT IN ('b', 'c')
SELECT Subject FROM Case WHERE Owner.Type = 'Queue'
SELECT Id, Owner.Type FROM Case
SELECT Id FROM Account WHERE Owner.UserType = 'Standard'
SELECT GROUPING(Status) FROM Lead GROUP BY CUBE(Status, Company)
SELECT Id FROM Account WHERE CreatedDate >= LAST_N_HOURS:3
SELECT Id FROM Account WHERE LastVisit__c = null OR LastVisit__c = NEXT_WEEK
SELECT Id, Name FROM Account WHERE Name > 'M' AND Id > '001000000000000'
SELECT Id FROM Account WHERE (((Name = 'a')))
SELECT Id FROM Account WHERE NOT(Name = 'a' OR Name = 'b')
select id from account where name='x' and billingcity like '%y%'
SELECT Id FROM Contact WHERE Account.Name = 'x' WITH USER_MODE ORDER BY Account.Name, LastName LIMIT 10 OFFSET 2 FOR VIEW
SELECT MIN(CloseDate), MAX(CloseDate) FROM Opportunity WHERE CloseDate = THIS_FISCAL_YEAR
SELECT Id FROM Account WHERE (Id IN (SELECT AccountId FROM Contact)) AND Name != null
SELECT WEEK_IN_YEAR(CloseDate) w, DAY_IN_WEEK(CloseDate) d, COUNT(Id) FROM Opportunity GROUP BY WEEK_IN_YEAR(CloseDate), DAY_IN_WEEK(CloseDate)
SELECT Email, COUNT(Id) FROM Contact GROUP BY Email HAVING COUNT(Id) > 1 AND Email != null
SELECT SUM(Amount)total FROM Opportunity
SELECT COUNT(Id)FROM Account
"""


@pytest.mark.parametrize("soql", RIGHT.strip().splitlines())
def test_right_soql_is_answered(api, soql: str) -> None:
    answer = api.query(soql)
    assert answer.status_code == 200, answer.text
    assert "records" in answer.json()
